/** Whether what instances have done is still possible by a changed saga, found without running it. @module */
import { ConfigurationError } from "../errors/configuration.ts";
import { finalState, type SagaDefinition, type Step } from "./definition.ts";
import { everyStep, waysThrough } from "./flow.ts";
import type { SagaHistoryEntry } from "./instances.ts";
import { isWithin } from "./lineage.ts";
import { Plan, type StatePlan } from "./plan.ts";

/** One entry of a history, as `bus.sagas(…).history(id)` gives it; also after a way through JSON. */
export type RecordedSagaEntry = Pick<
  SagaHistoryEntry,
  "incarnation" | "version" | "kind" | "name" | "transitions" | "state"
>;
/** What was recorded of the instances that have had an id. */
export interface RecordedSagaHistory {
  /** Theirs. */
  readonly id: string;
  /** Oldest first. */
  readonly entries: readonly RecordedSagaEntry[];
}

/** Where an instance breaks: what it has done, the saga as it is now would not let it do. */
export interface SagaHistoryFinding {
  /** Stable: branch on it. */
  readonly kind: "unknown state" | "unknown event" | "unknown timeout" | "not taken" | "other transition";
  /** The instance's. */
  readonly id: string;
  /** Which of those that have had the id. */
  readonly incarnation: string;
  /** Of the entry: how often the instance had been written with it. */
  readonly version: number;
  /** What it is, and where. */
  readonly message: string;
}

/** The first thing of each instance that is not possible any more: what comes behind it may follow from it. */
export function verifyHistory(
  definition: SagaDefinition,
  recorded: Iterable<RecordedSagaHistory>,
): readonly SagaHistoryFinding[] {
  const plan = new Plan(definition);
  const findings: SagaHistoryFinding[] = [];
  for (const { id, entries } of recorded) {
    if (!Array.isArray(entries)) {
      throw new ConfigurationError(
        `Cannot verify histories of "${definition.name}": "${id}" has no list of { entries }. ` +
          `Give [{ id, entries }], the entries as bus.sagas(…).history(id) gave them`,
      );
    }
    const broken = new Set<string>();
    for (const entry of entries) {
      const { incarnation, version } = entry;
      if (broken.has(incarnation)) continue;
      const wrong = check(plan, entry);
      if (wrong === undefined) continue;
      broken.add(incarnation);
      const [kind, why] = wrong;
      const message =
        `The instance "${id}" of "${definition.name}" breaks with entry ${version} of its history: ${why}`;
      findings.push({ kind, id, incarnation, version, message });
    }
  }
  return findings;
}

type Wrong = readonly [kind: SagaHistoryFinding["kind"], why: string];

function check(plan: Plan, entry: RecordedSagaEntry): Wrong | undefined {
  const { kind, transitions, state } = entry;
  const before = transitions[0]?.from ?? state;
  const passed = [before, ...transitions.map(({ to }) => to), state];
  const unknown = passed.find((each) => plan.state(each) === undefined);
  if (unknown !== undefined) return ["unknown state", `its state "${unknown}" is none of the saga's`];
  if (kind === "set") return undefined; // an operator's, whatever the rules said
  const taking = takenBy(plan, entry, before);
  if ("wrong" in taking) return taking.wrong;
  const all = [...taking.steps, ...besides(plan, taking.steps, passed)];
  const targets = new Set(all.flatMap((steps) => [...atOnce(steps)].flatMap(targetOf)));
  const other = transitions.find(({ to }) => !targets.has(to));
  if (other !== undefined) {
    return ["other transition", `${shown(entry)} led it from "${other.from}" to "${other.to}", where it leads no more`];
  }
  if (transitions.length === 0 && !taking.mayStay && taking.steps.every((steps) => alwaysLeaves(steps, before))) {
    return ["other transition", `it stayed in "${before}" with ${shown(entry)}, which leads out of it now`];
  }
  return undefined;
}

/** The rules that may have taken it, each by its steps; or why none does. */
type Taking =
  | { readonly steps: readonly (readonly Step[])[]; readonly mayStay: boolean }
  | { readonly wrong: Wrong };

function takenBy(plan: Plan, entry: RecordedSagaEntry, before: string): Taking {
  const { events, timeouts, requests, rules, undos } = plan.definition;
  const { kind, name = "" } = entry;
  const here = plan.state(before);
  const notTaken = { wrong: ["not taken", `no rule takes ${shown(entry)} in "${before}"`] } as const;
  switch (kind) {
    case "event": {
      if (!events.has(name)) return { wrong: ["unknown event", `the saga has no event "${name}"`] };
      const counts = here?.events.get(name)?.counts === true;
      const steps = candidates(here, name);
      return steps.length === 0 && !counts ? notTaken : { steps, mayStay: counts };
    }
    case "timeout": {
      if (!timeouts.has(name)) return { wrong: ["unknown timeout", `the saga has no timeout "${name}"`] };
      const rule = here?.timeouts.get(name);
      return rule === undefined ? notTaken : { steps: [rule.steps], mayStay: false };
    }
    case "completed":
    case "faulted":
    case "timedOut": {
      const waiting = [...requests.values()].filter(({ pending }) =>
        pending === undefined || isWithin(before, pending)
      );
      return waiting.length === 0 ? notTaken : { steps: waiting.map((request) => request[kind]), mayStay: false };
    }
    default:
      // Which undo it was, and what waited for it, a history does not tell.
      return {
        steps: [...rules, ...undos.values()].map((each) => [...everyStep("undo" in each ? each.undo : each.steps)]),
        mayStay: true,
      };
  }
}

/** Up to the first that no filter may refuse. */
function candidates(here: StatePlan | undefined, event: string): readonly (readonly Step[])[] {
  const found: (readonly Step[])[] = [];
  for (const { trigger, steps } of here?.events.get(event)?.rules ?? []) {
    if (trigger.on === "ignore") break;
    found.push(steps);
    if (trigger.on === "event" && trigger.filter === undefined) break;
  }
  return found;
}

/** What may run beside a rule: the hooks of states on the way, composites, and what is raised. */
function besides(
  plan: Plan,
  begun: readonly (readonly Step[])[],
  passed: readonly string[],
): readonly (readonly Step[])[] {
  const found: (readonly Step[])[] = [];
  for (const { trigger, steps } of plan.definition.rules) {
    const hook = "state" in trigger && passed.some((state) => isWithin(state, trigger.state));
    if (hook) found.push(steps);
  }
  for (const state of passed) {
    for (const { steps } of plan.state(state)?.composites.values() ?? []) found.push(steps);
  }
  const raised = new Set<string>();
  for (const waiting = [...begun, ...found]; waiting.length > 0;) {
    for (const step of atOnce(waiting.pop() ?? [])) {
      if (step.kind !== "raise" || raised.has(step.event)) continue;
      raised.add(step.event);
      const more = passed.flatMap((state) => candidates(plan.state(state), step.event));
      found.push(...more);
      waiting.push(...more);
    }
  }
  return found;
}

/** All steps of one unit: without those of answers and undos. */
function* atOnce(steps: readonly Step[]): Generator<Step> {
  for (const step of steps) {
    yield step;
    if (step.kind === "branch") { for (const inner of step.cases.values()) yield* atOnce(inner); }
    else if ("steps" in step) yield* atOnce(step.steps);
  }
}

function targetOf(step: Step): readonly string[] {
  if (step.kind === "transition") return [step.state];
  if (step.kind === "finalize") return [finalState];
  return step.kind === "request" && step.pending !== undefined ? [step.pending] : [];
}

function alwaysLeaves(steps: readonly Step[], state: string): boolean {
  // What is behind a compensation is done later.
  if ([...atOnce(steps)].some(({ kind }) => kind === "compensate")) return false;
  return waysThrough(steps).every(({ to }) => to !== undefined && to !== state);
}

function shown({ kind, name }: RecordedSagaEntry): string {
  switch (kind) {
    case "event":
      return `"${name}"`;
    case "timeout":
      return `the timeout "${name}"`;
    case "compensate":
      return "a compensation";
    default:
      return `the answer to a request (${kind})`;
  }
}
