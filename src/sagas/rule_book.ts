/** Collects the rules of a saga. @module */
import { ConfigurationError } from "../errors/configuration.ts";
import { shown } from "../errors/shown.ts";
import type { Role } from "./correlation.ts";
import type { EventDefinition, RuleDefinition, Step, Trigger } from "./definition.ts";
import { finalState, initialState } from "./definition.ts";
import { StepList } from "./step_list.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** A rule before it has been given its place, and so its key. */
export interface PlacedRule {
  readonly scope: RuleDefinition["scope"];
  readonly trigger: Trigger;
  readonly steps: readonly Step[];
}
/** What `completedWhen` and `onUnhandled` were given. */
export interface Decisions {
  completedWhen: ((data: never, state: string) => boolean) | undefined;
  onUnhandled: string | ((context: never, event: string) => string) | undefined;
}
interface Written {
  readonly trigger: Trigger;
  readonly where: string;
  /** Whether it is for a missing instance. */
  readonly missing: boolean;
  placed: boolean;
}
type AnySequence = (steps: StepList) => unknown;

/**
 * What stands behind `Rules`: the methods are the same, and the types that make sure of what they are given are there.
 * They may be taken off it, as in `({ when, during }) => …`.
 */
export class RuleBook {
  readonly placed: PlacedRule[] = [];
  readonly decisions: Decisions = { completedWhen: undefined, onUnhandled: undefined };
  readonly #words: Vocabulary;
  readonly #events: ReadonlyMap<string, EventDefinition>;
  readonly #written: Map<unknown, Written> = new Map();
  readonly #behaviors: Set<unknown> = new Set();

  constructor(words: Vocabulary, events: ReadonlyMap<string, EventDefinition>) {
    this.#words = words;
    this.#events = events;
  }

  readonly initially = (...rules: readonly unknown[]): object => {
    const where = "initially";
    for (const rule of rules) {
      const { trigger, missing } = this.#find(rule, where);
      if (missing) continue;
      if (trigger.on === "event" && this.#events.get(trigger.event)?.by.kind === "start") continue;
      throw this.#refused(
        where,
        trigger.on === "event" ? `"${trigger.event}" cannot start an instance` : "only messages start an instance",
        `Correlate the event with on.start, or move the rule to during or duringAny`,
      );
    }
    return this.#place("initial", rules, where);
  };
  readonly during = (state: unknown, ...rules: readonly unknown[]): object => {
    const states: readonly unknown[] = Array.isArray(state) ? state : [state];
    if (states.length === 0) throw this.#refused("during", "its list of states is empty", "Name at least one");
    return this.#place(states.map((each) => this.#words.checkState(each, "during")), rules, "during");
  };
  readonly duringAny = (...rules: readonly unknown[]): object => this.#place("any", rules, "duringAny");
  readonly finally = (...rules: readonly unknown[]): object => this.#place("final", rules, "finally");

  readonly when = (event: string, filter?: (context: never) => boolean): StepList => {
    const where = `a rule for ${shown(event)}`;
    this.#words.checkEvent(event, where);
    if (filter !== undefined && typeof filter !== "function") {
      throw this.#refused(where, "its filter is no function", "Give one from the context to true or false");
    }
    const starts = this.#events.get(event)?.by.kind === "start";
    return this.#write({ on: "event", event, filter }, where, starts ? "starts a saga" : "needs an existing saga");
  };
  readonly whenMissing = (event: string): StepList => {
    const where = `a rule for a missing instance of ${shown(event)}`;
    this.#words.checkEvent(event, where);
    const by = this.#events.get(event)?.by;
    if (by?.kind === "start" || by?.onMissing !== "run") {
      throw this.#refused(where, "it would never be used", `Correlate the event with { onMissing: "run" }`);
    }
    return this.#write({ on: "event", event, filter: undefined }, where, "starts a saga", true);
  };
  readonly whenAll = (...events: readonly string[]): StepList => {
    const where = `a rule for all of ${events.map(shown).join(", ")}`;
    for (const event of events) this.#words.checkEvent(event, where);
    if (events.length === 0 || new Set(events).size < events.length) {
      throw this.#refused(where, "its events are none, or one is there twice", "Name each that is waited for once");
    }
    const key = events.toSorted().join("+");
    return this.#write({ on: "all", key, events: [...events] }, where);
  };
  readonly timeout = (name: string): StepList => {
    const where = `a rule for the timeout ${shown(name)}`;
    return this.#write({ on: "timeout", timeout: this.#words.checkTimeout(name, where) }, where);
  };
  readonly beforeEnter = (state: string): StepList => this.#hook("beforeEnter", "beforeEnter", state, finalState);
  readonly whenEnter = (state: string): StepList => this.#hook("enter", "whenEnter", state, finalState);
  readonly whenLeave = (state: string): StepList => this.#hook("leave", "whenLeave", state, initialState);
  readonly afterLeave = (state: string): StepList => this.#hook("afterLeave", "afterLeave", state, initialState);
  readonly ignore = (...events: readonly string[]): StepList => {
    const where = "ignore";
    for (const event of events) this.#words.checkEvent(event, where);
    if (events.length === 0) throw this.#refused(where, "it names no event", "Name at least one");
    return this.#write({ on: "ignore", events: [...events] }, where);
  };

  readonly completedWhen = (condition: Decisions["completedWhen"]): object => {
    if (typeof condition !== "function" || this.decisions.completedWhen !== undefined) {
      throw this.#refused("completedWhen", "it is no function, or said twice", "Say it once, with one from the data");
    }
    this.decisions.completedWhen = condition;
    return this.#place("any", [], "completedWhen");
  };
  readonly onUnhandled = (decide: Decisions["onUnhandled"]): object => {
    const known = typeof decide === "function" || ["fault", "ignore", "redeliver"].includes(String(decide));
    if (!known || this.decisions.onUnhandled !== undefined) {
      throw this.#refused(
        "onUnhandled",
        `${shown(decide)} is no answer, or a second one`,
        `Say "fault", "ignore" or "redeliver" once, or give a function that does`,
      );
    }
    this.decisions.onUnhandled = decide;
    return this.#place("any", [], "onUnhandled");
  };
  readonly sequence = (first: unknown, second?: unknown): AnySequence => {
    if (typeof first === "string") this.#words.checkEvent(first, "a sequence");
    const steps = typeof first === "string" ? second : first;
    if (typeof steps === "function") return steps as AnySequence; // its types were checked by `Rules`
    throw this.#refused("a sequence", `${shown(steps)} is no function`, "Write sequence((steps) => steps.…)");
  };

  /** Whether all that was written has been given back. */
  check(returned: unknown): void {
    if (!Array.isArray(returned) || returned.some((each) => !this.#behaviors.has(each))) {
      throw this.#refused(
        "rules",
        "they are no list of initially(…), during(…) and their like",
        "Return [initially(…), …]",
      );
    }
    for (const behavior of this.#behaviors) {
      if (!returned.includes(behavior)) {
        throw this.#refused("rules", "some were written, but not returned", "Return all of them in one list");
      }
    }
    for (const { where, placed } of this.#written.values()) {
      if (!placed) throw this.#refused(where, "it stands in no state", "Put it into initially, during or duringAny");
    }
  }

  #hook(on: "beforeEnter" | "enter" | "leave" | "afterLeave", name: string, state: string, also: string): StepList {
    const where = `${name}(${shown(state)})`;
    return this.#write({ on, state: this.#words.checkState(state, where, also) }, where);
  }
  #write(trigger: Trigger, where: string, role: Role = "needs an existing saga", missing = false): StepList {
    this.#words.checkOpen(where);
    const list = new StepList(this.#words, where, role);
    this.#written.set(list, { trigger, where, missing, placed: false });
    return list;
  }
  #find(rule: unknown, where: string): Written {
    const written = this.#written.get(rule);
    if (written !== undefined) return written;
    throw this.#refused(
      where,
      `${shown(rule)} is no rule of it`,
      "Begin with when, whenAll, timeout, ignore or whenEnter",
    );
  }
  #place(scope: RuleDefinition["scope"], rules: readonly unknown[], where: string): object {
    this.#words.checkOpen(where);
    for (const rule of rules) {
      const written = this.#find(rule, where);
      if (written.missing && scope !== "initial") {
        throw this.#refused(written.where, `it stands in ${where}`, "Put it into initially");
      }
      written.placed = true;
      const { steps } = rule as StepList; // all that was written is one
      if (written.trigger.on === "ignore" && steps.length > 0) {
        throw this.#refused(written.where, "it has steps, which would never run", "Handle the event with when(…)");
      }
      this.placed.push({ scope: written.missing ? "missing" : scope, trigger: written.trigger, steps });
    }
    const behavior = { rules };
    this.#behaviors.add(behavior);
    return behavior;
  }
  #refused(where: string, why: string, next: string): ConfigurationError {
    return new ConfigurationError(`Cannot use ${where} of the saga "${this.#words.saga}": ${why}. ${next}`);
  }
}
