/** What is suspicious about a saga, found without running it. @module */
import { finalState, initialState, type SagaDefinition } from "./definition.ts";
import { describe } from "./description.ts";
import { appliesIn, everyStep, type Flow, flowOf, type Way } from "./flow.ts";
import { lineageOf } from "./lineage.ts";

/** Something about a saga that is likely to be a mistake. */
export interface SagaFinding {
  /** Stable: branch on it. */
  readonly kind:
    | "unreachable state"
    | "no way out"
    | "timeout never scheduled"
    | "timeout never cleared"
    | "event never handled"
    | "never begins";
  /** The state, event or timeout that it is about; of the kind `never begins`: the saga. */
  readonly subject: string;
  /** What it is, where, and what to do. */
  readonly message: string;
}

/** Looks for states that nothing leads to or out of, timeouts that nobody clears, and events that nobody handles. */
export function verify(definition: SagaDefinition): readonly SagaFinding[] {
  const flow = flowOf(definition);
  return [
    ...aboutStates(definition, flow),
    ...aboutTimeouts(definition, flow),
    ...aboutEvents(definition, flow),
  ];
}

function aboutStates(definition: SagaDefinition, { reachable }: Flow): readonly SagaFinding[] {
  const { name: saga } = definition;
  if (reachable.size === 1) {
    return [{
      kind: "never begins",
      subject: saga,
      message:
        `Nothing leads out of the initial state of "${saga}". Write a rule in initially(…) that has a transition`,
    }];
  }
  const { states } = describe(definition);
  const isParent = (state: string) => states.some(({ parent }) => parent === state);
  const findings: SagaFinding[] = [];
  for (const { name, reachable: reached, dead } of states) {
    if (name === initialState || name === finalState || isParent(name)) continue;
    if (!reached) {
      findings.push({
        kind: "unreachable state",
        subject: name,
        message: `No event leads to the state "${name}" of "${saga}". Write a transition to it, or remove it`,
      });
    } else if (dead) {
      findings.push({
        kind: "no way out",
        subject: name,
        message: `Nothing leads out of the state "${name}" of "${saga}": its instances stay for ever. ` +
          `Finalize them, or say completedWhen(…)`,
      });
    }
  }
  return findings;
}

function aboutEvents({ name: saga, events }: SagaDefinition, { moves }: Flow): readonly SagaFinding[] {
  return [...events.keys()].filter((event) => !moves.some((move) => move.events.includes(event))).map((event) => ({
    kind: "event never handled",
    subject: event,
    message: `No rule of "${saga}" takes its event "${event}". Write one, or remove the event`,
  }));
}

function aboutTimeouts(definition: SagaDefinition, flow: Flow): readonly SagaFinding[] {
  const { name: saga, timeouts, rules } = definition;
  const scheduled = new Set<string>();
  for (const { steps } of rules) {
    for (const step of everyStep(steps)) if (step.kind === "schedule") scheduled.add(step.timeout);
  }
  const findings: SagaFinding[] = [];
  const pending = pendingIn(flow);
  for (const timeout of timeouts.keys()) {
    if (!scheduled.has(timeout)) {
      findings.push({
        kind: "timeout never scheduled",
        subject: timeout,
        message: `No rule of "${saga}" schedules its timeout "${timeout}". Schedule it, or remove it`,
      });
      continue;
    }
    const states = [...pending].filter(([state, names]) =>
      state !== finalState && names.has(timeout) &&
      !flow.moves.some((move) => move.timeout === timeout && appliesIn(move, state))
    ).map(([state]) => `"${state}"`);
    if (states.length === 0) continue;
    findings.push({
      kind: "timeout never cleared",
      subject: timeout,
      message: `The timeout "${timeout}" of "${saga}" may come in ${states.join(", ")}, where no rule takes it. ` +
        `Unschedule it on the way there, or write timeout("${timeout}") for it`,
    });
  }
  return findings;
}

/** By state: the timeouts that may be on their way while an instance is in it. */
function pendingIn(flow: Flow): ReadonlyMap<string, ReadonlySet<string>> {
  const pending = new Map<string, Set<string>>([[initialState, new Set()]]);
  for (let grown = true; grown;) {
    grown = false;
    for (const [state, names] of [...pending]) {
      for (const move of flow.moves) {
        if (!appliesIn(move, state)) continue;
        for (const way of move.ways) {
          const to = way.to ?? state;
          const left = [...names].filter((name) => name !== move.timeout && !way.cleared.has(name));
          const all = passed(new Set([...left, ...way.scheduled]), state, to, flow);
          const known = pending.get(to);
          const more = known === undefined ? all : new Set([...known, ...all]);
          if (more.size === known?.size) continue;
          pending.set(to, more);
          grown = true;
        }
      }
    }
  }
  return pending;
}

/** What is left of them when one state has been left for another. */
function passed(names: Set<string>, from: string, to: string, { entering, leaving }: Flow): Set<string> {
  if (from === to) return names;
  const apply = (by: ReadonlyMap<string, readonly Way[]>, states: readonly string[]) => {
    for (const state of states) {
      const ways = by.get(state);
      if (ways === undefined) continue;
      for (const name of [...names]) if (ways.every(({ cleared }) => cleared.has(name))) names.delete(name);
      for (const { scheduled } of ways) for (const name of scheduled) names.add(name);
    }
  };
  apply(leaving, lineageOf(from).filter((state) => !lineageOf(to).includes(state)));
  apply(entering, lineageOf(to).filter((state) => !lineageOf(from).includes(state)));
  return names;
}
