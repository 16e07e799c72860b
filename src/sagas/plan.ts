/** A definition as the machine looks things up in it. @module */
import { MissingSagaDataError, UnreadableSagaError } from "../errors/saga.ts";
import { answers } from "./answering.ts";
import {
  type CatchStep,
  finalState,
  initialState,
  type RuleDefinition,
  type SagaDefinition,
  type Step,
} from "./definition.ts";
import type { SagaInstance } from "./instance.ts";
import { isWithin, lineageOf } from "./lineage.ts";

/** Several events that are waited for. */
export interface Composite {
  readonly key: string;
  readonly events: readonly string[];
}
/** What a state does about one event. */
export interface EventPlan {
  /** Rules that may take it, ignoring ones among them: the first whose filter agrees does. */
  readonly rules: readonly RuleDefinition[];
  /** The composites that count it, once it is accepted. */
  readonly counted: readonly Composite[];
  /** Whether being counted is enough to be accepted. */
  readonly counts: boolean;
}
/** A state, with all that rules say about it. */
export interface StatePlan {
  readonly name: string;
  readonly events: ReadonlyMap<string, EventPlan>;
  readonly timeouts: ReadonlyMap<string, RuleDefinition>;
  /** By the composite's key. */
  readonly composites: ReadonlyMap<string, RuleDefinition>;
  /** The properties of the data that are there in it. */
  readonly requires: readonly string[];
}
/** What runs on the way from one state to another, in this order; `undefined`: here the state changes. */
export type Passage = readonly (RuleDefinition | undefined)[];
/** Where a step stands. */
export interface Place {
  readonly steps: readonly Step[];
  readonly at: number;
  /** Whether one behind it in its list answers whoever asked. */
  readonly answered: boolean;
  /** What the innermost `catch` around it takes. */
  readonly caught: CatchStep["error"] | undefined;
}

/** Tables made once for a definition. */
export class Plan {
  readonly definition: SagaDefinition;
  readonly composites: readonly Composite[];
  /** By the event: rules for a missing instance. */
  readonly missing: ReadonlyMap<string, RuleDefinition>;
  readonly #states: ReadonlyMap<string, StatePlan>;
  readonly #places: Map<string, Place> = new Map();
  /** Whether anything ever runs on the way from one state to another. */
  readonly #anyPassage: boolean;
  readonly #passages: Map<string, Map<string, Passage | undefined>> = new Map();

  constructor(definition: SagaDefinition) {
    const { rules } = definition;
    this.definition = definition;
    this.composites = [
      ...new Map(rules.flatMap(({ trigger }) => trigger.on === "all" ? [[trigger.key, trigger]] : [])).values(),
    ];
    this.missing = new Map(
      rules.toReversed().flatMap((rule) =>
        rule.scope === "missing" && rule.trigger.on === "event" ? [[rule.trigger.event, rule]] : []
      ),
    );
    const states = [initialState, ...definition.states, finalState];
    this.#states = new Map(states.map((state) => [state, statePlan(state, definition, this.composites)]));
    this.#anyPassage = rules.some(({ trigger }) => "state" in trigger);
    for (const { steps } of rules) this.#remember(steps);
  }

  /** By its name; `undefined`: the saga has none. */
  state(name: string): StatePlan | undefined {
    return this.#states.get(name);
  }
  /** @throws {UnreadableSagaError} if the instance is in a state that the saga does not have */
  stateOf(instance: SagaInstance): StatePlan {
    const found = this.#states.get(instance.state);
    if (found !== undefined) return found;
    const why = `its state "${instance.state}" is none of the saga's`;
    throw new UnreadableSagaError(this.definition.name, instance.id, why);
  }

  /** @throws {UnreadableSagaError} if the instance has a step in it that the saga does not have */
  placeOf(key: string, instance: SagaInstance): Place {
    const found = this.#places.get(key);
    if (found !== undefined) return found;
    const why = `it is to go on behind the step "${key}", which the saga does not have`;
    throw new UnreadableSagaError(this.definition.name, instance.id, why);
  }

  /**
   * Makes sure of what a state requires.
   *
   * @param state that the instance is in, or is about to enter
   * @throws {MissingSagaDataError}
   */
  checkData({ id, data }: SagaInstance, state: string): void {
    if (this.definition.requires.size === 0) return;
    for (const property of this.#states.get(state)?.requires ?? []) {
      if (property in data && Reflect.get(data, property) != null) continue;
      throw new MissingSagaDataError(this.definition.name, id, state, property);
    }
  }

  /** What runs on the way; `undefined`: nothing does. */
  passage(from: string, to: string): Passage | undefined {
    if (!this.#anyPassage) return undefined;
    let ways = this.#passages.get(from);
    if (ways === undefined) this.#passages.set(from, ways = new Map());
    const known = ways.get(to);
    if (known !== undefined || ways.has(to)) return known;
    const made = this.#makePassage(from, to);
    ways.set(to, made);
    return made;
  }

  #makePassage(from: string, to: string): Passage | undefined {
    // The states that both are within are neither left nor entered.
    const left = lineageOf(from).filter((state) => !isWithin(to, state));
    const entered = lineageOf(to).filter((state) => !isWithin(from, state)).reverse();
    const of = (on: string, states: readonly string[]) =>
      states.flatMap((state) =>
        this.definition.rules.filter(({ trigger }) =>
          trigger.on === on && "state" in trigger && trigger.state === state
        )
      );
    const [before, after] = [
      [...of("leave", left), ...of("beforeEnter", entered)],
      [...of("afterLeave", left), ...of("enter", entered)],
    ];
    return before.length + after.length === 0 ? undefined : [...before, undefined, ...after];
  }

  #remember(steps: readonly Step[], caught: Place["caught"] = undefined): void {
    steps.forEach((step, at) => {
      this.#places.set(step.key, { steps, at, answered: steps.slice(at + 1).some(answers), caught });
      switch (step.kind) {
        case "branch":
          for (const inner of step.cases.values()) this.#remember(inner, caught);
          break;
        case "sequence":
        case "retry":
          this.#remember(step.steps, caught);
          break;
        case "catch":
          this.#remember(step.steps, step.error);
          break;
        case "request":
          for (const inner of [step.completed, step.faulted, step.timedOut]) this.#remember(inner);
          break;
        case "compensateWith":
          this.#remember(step.undo);
          break;
      }
    });
  }
}

function statePlan(
  name: string,
  { rules, events, requires }: SagaDefinition,
  composites: readonly Composite[],
): StatePlan {
  const lineage = lineageOf(name);
  const ordinary = name !== initialState && name !== finalState;
  // The most specific first.
  const ordered: readonly RuleDefinition[] = ordinary
    ? [
      ...lineage.flatMap((state) => rules.filter(({ scope }) => typeof scope !== "string" && scope.includes(state))),
      ...rules.filter(({ scope }) => scope === "any"),
    ]
    : rules.filter(({ scope }) => scope === (name === initialState ? "initial" : "final"));
  const timeouts = new Map<string, RuleDefinition>();
  const here = new Map<string, RuleDefinition>();
  for (const rule of ordered) {
    const { trigger } = rule;
    if (trigger.on === "timeout" && !timeouts.has(trigger.timeout)) timeouts.set(trigger.timeout, rule);
    if (trigger.on === "all" && !here.has(trigger.key)) here.set(trigger.key, rule);
  }
  const planned = [...events.keys()].map((event) => [event, eventPlan(event, ordered, composites, ordinary)] as const);
  const needed = lineage.flatMap((state) => requires.get(state) ?? []);
  return { name, events: new Map(planned), timeouts, composites: here, requires: needed };
}

function eventPlan(
  event: string,
  ordered: readonly RuleDefinition[],
  composites: readonly Composite[],
  ordinary: boolean,
): EventPlan {
  const taking: RuleDefinition[] = [];
  const counted = composites.filter(({ events }) => events.includes(event));
  let waitedFor = false;
  for (const rule of ordered) {
    const { trigger } = rule;
    if (trigger.on === "all") waitedFor ||= trigger.events.includes(event);
    // A more specific composite needs the event: it is not ignored then.
    else if (trigger.on === "ignore" && !waitedFor && trigger.events.includes(event)) taking.push(rule);
    else if (trigger.on === "event" && trigger.event === event) taking.push(rule);
  }
  return { rules: taking, counted, counts: ordinary && counted.length > 0 };
}
