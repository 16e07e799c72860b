/** A saga as plain data: for documentation, diagrams and checks. @module */
import { definitionOf } from "../contracts/definition.ts";
import { finalState, initialState, type SagaDefinition } from "./definition.ts";
import { appliesIn, type Flow, flowOf } from "./flow.ts";
import { lineageOf } from "./lineage.ts";

/** A state of a saga. */
export interface StateDescription {
  /** `initial`, `final`, or as declared. */
  readonly name: string;
  /** The state that it is within. */
  readonly parent: string | undefined;
  /** Whether any order of events leads to it. */
  readonly reachable: boolean;
  /** Whether nothing leads out of it, and it is not the final one. */
  readonly dead: boolean;
  /** The events that a rule takes in it. */
  readonly handles: readonly string[];
  /** The events that no rule takes in it: `onUnhandled` decides on them. */
  readonly unhandled: readonly string[];
  /** The timeouts that a rule takes in it. */
  readonly timeouts: readonly string[];
}
/** An event of a saga. */
export interface EventDescription {
  /** Its name in the saga. */
  readonly name: string;
  /** The name of its contract, and its version. */
  readonly contract: string;
  /** That of the contract. */
  readonly version: number;
  /** Whether it may begin an instance. */
  readonly starts: boolean;
  /** How its instances are found. */
  readonly by: "id" | "index";
}
/** A way from one state to another. */
export interface TransitionDescription {
  /** The state that is left. */
  readonly from: string;
  /** The state that is entered. */
  readonly to: string;
  /** As in `paid`, `paid and packed`, `timeout paymentDue`, `addresses.check timed out`, `entering cancelled`. */
  readonly on: string;
  /** Whether a filter may refuse it. */
  readonly filtered: boolean;
}
/** A saga as plain data. */
export interface SagaDescription {
  /** Its name. */
  readonly name: string;
  /** Of the schema of its data. */
  readonly version: number;
  /** `initial` first, `final` last. */
  readonly states: readonly StateDescription[];
  /** In the order in which they were declared. */
  readonly events: readonly EventDescription[];
  /** Their names, and how long they are, in milliseconds. */
  readonly timeouts: readonly { readonly name: string; readonly inMs: number }[];
  /** In the order of the rules, each once. */
  readonly transitions: readonly TransitionDescription[];
}

/** Describes a saga, without running anything of it. */
export function describe(definition: SagaDefinition): SagaDescription {
  const flow = flowOf(definition);
  const transitions = transitionsOf(flow);
  return {
    name: definition.name,
    version: definition.version,
    states: [initialState, ...definition.states, finalState].map((state) =>
      stateOf(state, definition, flow, transitions)
    ),
    events: [...definition.events.values()].map(({ name, contract, by }) => {
      const { name: contractName, version } = definitionOf(contract, `the event "${name}"`);
      return {
        name,
        contract: contractName,
        version,
        starts: by.kind === "start",
        by: by.kind === "index" ? "index" : "id",
      };
    }),
    timeouts: [...definition.timeouts].map(([name, inMs]) => ({ name, inMs })),
    transitions,
  };
}

function stateOf(
  state: string,
  { events, timeouts, completedWhen }: SagaDefinition,
  { moves, reachable }: Flow,
  transitions: readonly TransitionDescription[],
): StateDescription {
  const here = moves.filter((move) => appliesIn(move, state));
  const takes = (event: string) => here.some((move) => move.events.includes(event));
  // A composite counts its events in any state.
  const counted = (event: string) => moves.some((move) => move.events.length > 1 && move.events.includes(event));
  const names = [...events.keys()];
  const begins = (event: string) => state !== initialState || events.get(event)?.by.kind === "start";
  return {
    name: state,
    parent: lineageOf(state)[1],
    reachable: reachable.has(state),
    dead: state !== finalState && completedWhen === undefined &&
      !transitions.some(({ from, to }) => lineageOf(state).includes(from) && to !== state),
    handles: names.filter(takes),
    unhandled: state === finalState
      ? []
      : names.filter((event) => begins(event) && !takes(event) && !(counted(event) && state !== initialState)),
    timeouts: [...timeouts.keys()].filter((timeout) => here.some((move) => move.timeout === timeout)),
  };
}

function transitionsOf(flow: Flow): readonly TransitionDescription[] {
  const all = new Map<string, TransitionDescription>();
  const add = (transition: TransitionDescription) => {
    const { from, to, on } = transition;
    const id = JSON.stringify([from, to, on]);
    if (from !== to && !all.has(id)) all.set(id, transition);
  };
  for (const { on, from, filtered, ways } of flow.moves) {
    for (const { to } of ways) if (to !== undefined) { for (const each of from) add({ from: each, to, on, filtered }); }
  }
  for (const [what, by] of [["entering", flow.entering], ["leaving", flow.leaving]] as const) {
    for (const [state, ways] of by) {
      for (const { to } of ways) {
        if (to !== undefined) add({ from: state, to, on: `${what} ${state}`, filtered: false });
      }
    }
  }
  return [...all.values()];
}
