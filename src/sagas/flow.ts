/** Where the rules of a saga may lead, without running them: what diagrams and checks are made from. @module */
import { definitionOf } from "../contracts/definition.ts";
import { finalState, initialState, type RuleDefinition, type SagaDefinition, type Step } from "./definition.ts";
import { lineageOf } from "./lineage.ts";

/** One way through the steps of a rule. */
export interface Way {
  /** The state that it ends in; `undefined`: that in which it began. */
  readonly to: string | undefined;
  /** Timeouts that may have been scheduled. */
  readonly scheduled: ReadonlySet<string>;
  /** Timeouts that have been unscheduled for sure. */
  readonly cleared: ReadonlySet<string>;
}

/** Something that may happen to an instance, in which states, and where it leads. */
export interface Move {
  /** As in `paid`, `timeout paymentDue`, `addresses.check timed out`. */
  readonly on: string;
  /** The events that it takes: several of a composite, none of a timeout. */
  readonly events: readonly string[];
  /** The timeout that it takes. */
  readonly timeout: string | undefined;
  /** States, without those that are within them. */
  readonly from: readonly string[];
  /** Whether it may be refused: a filter has a say. */
  readonly filtered: boolean;
  readonly ways: readonly Way[];
}

/** All that may happen, and what states do on the way in and out. */
export interface Flow {
  readonly moves: readonly Move[];
  /** What happens when a state is entered, and when it is left, without any message. */
  readonly entering: ReadonlyMap<string, readonly Way[]>;
  readonly leaving: ReadonlyMap<string, readonly Way[]>;
  /** The states that an instance may come to be in, {@linkcode initialState} included. */
  readonly reachable: ReadonlySet<string>;
}

const nothing: Way = { to: undefined, scheduled: new Set(), cleared: new Set() };

/** Follows all rules. */
export function flowOf(definition: SagaDefinition): Flow {
  const moves: Move[] = [];
  const entering = new Map<string, readonly Way[]>();
  const leaving = new Map<string, readonly Way[]>();
  for (const rule of definition.rules) {
    const from = statesOf(rule, definition);
    const { trigger } = rule;
    const ways = waysThrough(rule.steps);
    switch (trigger.on) {
      case "event":
        moves.push({
          on: trigger.event,
          events: [trigger.event],
          timeout: undefined,
          from,
          filtered: trigger.filter !== undefined,
          ways,
        });
        break;
      case "ignore":
        for (const event of trigger.events) moves.push({ ...quiet, on: event, events: [event], from });
        break;
      case "all":
        moves.push({
          on: trigger.events.join(" and "),
          events: trigger.events,
          timeout: undefined,
          from,
          filtered: false,
          ways: [nothing, ...ways],
        });
        break;
      case "timeout":
        moves.push({
          on: `timeout ${trigger.timeout}`,
          events: [],
          timeout: trigger.timeout,
          from,
          filtered: false,
          ways,
        });
        break;
      default: {
        const passing = trigger.on === "enter" || trigger.on === "beforeEnter" ? entering : leaving;
        const before = passing.get(trigger.state) ?? [nothing];
        passing.set(trigger.state, merge(before.flatMap((way) => ways.map((next) => join(way, next)))));
      }
    }
    moves.push(...answers(rule, from, definition));
  }
  return { moves, entering, leaving, reachable: reach(moves, [entering, leaving]) };
}

const quiet = { timeout: undefined, filtered: false, ways: [nothing] } as const;

function statesOf({ scope }: RuleDefinition, { states }: SagaDefinition): readonly string[] {
  if (scope === "initial") return [initialState];
  if (scope === "final") return [finalState];
  if (scope === "missing") return [];
  return scope === "any" ? states.filter((state) => !state.includes(".")) : scope;
}

/** What the outcomes of a rule's requests do, wherever they are asked. */
function answers(rule: RuleDefinition, from: readonly string[], { states }: SagaDefinition): readonly Move[] {
  const moves: Move[] = [];
  for (const step of everyStep(rule.steps)) {
    if (step.kind !== "request") continue;
    // Without a state to wait in, it may be anywhere when the answer comes.
    const waiting = step.pending === undefined ? [...new Set([...from, ...states])] : [step.pending];
    const { name } = definitionOf(step.contract, "the contract of a request");
    for (const [outcome, steps] of outcomesOf(step)) {
      moves.push({ ...quiet, on: `${name} ${outcome}`, events: [], from: waiting, ways: waysThrough(steps) });
    }
  }
  return moves;
}

function outcomesOf(step: Extract<Step, { kind: "request" }>): readonly (readonly [string, readonly Step[]])[] {
  return [["completed", step.completed], ["faulted", step.faulted], ["timed out", step.timedOut]];
}

/** All steps, those within others behind them. Undos are not among them. */
export function* everyStep(steps: readonly Step[]): Generator<Step> {
  for (const step of steps) {
    yield step;
    switch (step.kind) {
      case "branch":
        for (const inner of step.cases.values()) yield* everyStep(inner);
        break;
      case "sequence":
      case "retry":
      case "catch":
        yield* everyStep(step.steps);
        break;
      case "request":
        for (const [, inner] of outcomesOf(step)) yield* everyStep(inner);
        break;
    }
  }
}

/** All ways through steps, those that end in the same state taken together. */
export function waysThrough(steps: readonly Step[]): readonly Way[] {
  let ways: readonly Way[] = [nothing];
  for (const step of steps) ways = merge(ways.flatMap((way) => after(way, step)));
  return ways;
}

function after(way: Way, step: Step): readonly Way[] {
  switch (step.kind) {
    case "transition":
      return [{ ...way, to: step.state }];
    case "finalize":
      return [{ ...way, to: finalState }];
    case "request":
      return step.pending === undefined ? [way] : [{ ...way, to: step.pending }];
    case "schedule":
      return [{
        ...way,
        scheduled: new Set([...way.scheduled, step.timeout]),
        cleared: without(way.cleared, step.timeout),
      }];
    case "unschedule":
      return [{
        ...way,
        scheduled: without(way.scheduled, step.timeout),
        cleared: new Set([...way.cleared, step.timeout]),
      }];
    case "branch": {
      const branches = [...step.cases.values()].flatMap((inner) => waysThrough(inner).map((next) => join(way, next)));
      // An `if` has one case, and may do nothing.
      return step.cases.size === 1 ? [way, ...branches] : branches;
    }
    case "sequence":
    case "retry":
      return waysThrough(step.steps).map((next) => join(way, next));
    case "catch":
      // Nobody knows how far the steps before it came.
      return [way, ...waysThrough(step.steps).map((next) => join({ ...way, cleared: new Set() }, next))];
    default:
      return [way];
  }
}

function join(first: Way, next: Way): Way {
  return {
    to: next.to ?? first.to,
    scheduled: new Set([...[...first.scheduled].filter((name) => !next.cleared.has(name)), ...next.scheduled]),
    cleared: new Set([...[...first.cleared].filter((name) => !next.scheduled.has(name)), ...next.cleared]),
  };
}

function merge(ways: readonly Way[]): readonly Way[] {
  const byState = new Map<string | undefined, Way>();
  for (const way of ways) {
    const other = byState.get(way.to);
    byState.set(
      way.to,
      other === undefined ? way : {
        to: way.to,
        scheduled: new Set([...other.scheduled, ...way.scheduled]),
        cleared: new Set([...other.cleared].filter((name) => way.cleared.has(name))),
      },
    );
  }
  return [...byState.values()];
}

function without(names: ReadonlySet<string>, name: string): ReadonlySet<string> {
  return new Set([...names].filter((each) => each !== name));
}

/** Whether a move can be made in a state: it is declared for it, or for one that it is within. */
export function appliesIn({ from }: Move, state: string): boolean {
  return lineageOf(state).some((each) => from.includes(each));
}

function reach(
  moves: readonly Move[],
  passing: readonly ReadonlyMap<string, readonly Way[]>[],
): ReadonlySet<string> {
  const reached = new Set<string>();
  const waiting = [initialState];
  for (let state = waiting.pop(); state !== undefined; state = waiting.pop()) {
    const within = lineageOf(state);
    for (const each of within) reached.add(each);
    const ways = [
      ...moves.filter((move) => appliesIn(move, state)).flatMap((move) => move.ways),
      ...within.flatMap((each) => passing.flatMap((by) => by.get(each) ?? [])),
    ];
    for (const { to } of ways) if (to !== undefined && !reached.has(to) && !waiting.includes(to)) waiting.push(to);
  }
  return reached;
}
