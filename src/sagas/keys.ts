/** Gives rules and steps the keys that stored instances know them by. @module */
import { ConfigurationError } from "../errors/configuration.ts";
import { answers } from "./answering.ts";
import type { CompensateWithStep, RequestStep, RuleDefinition, Step, Trigger } from "./definition.ts";
import type { PlacedRule } from "./rule_book.ts";

/** What may be in an instance of steps. */
export interface Keyed {
  readonly rules: readonly RuleDefinition[];
  readonly requests: ReadonlyMap<string, RequestStep>;
  readonly undos: ReadonlyMap<string, CompensateWithStep>;
}

/** Where steps stand: not all can do the same. `later`: there is no message whose sender waits. */
type Place = "rule" | "later" | "passage" | "undo" | "missing";

/**
 * Keys are readable paths: the state and the trigger, then what each step is, with a number where the same is there
 * twice. So a step that is added or taken away changes no other's key but those of its own kind and name behind it.
 *
 * @throws {ConfigurationError} for a step that cannot be where it is, and for two undos of one name
 */
export function keyed(saga: string, placed: readonly PlacedRule[]): Keyed {
  const requests = new Map<string, RequestStep>();
  const undos = new Map<string, CompensateWithStep>();
  /** By name, before they were given keys: one sequence that two rules run is one undo. */
  const written = new Map<string, Step>();
  const counted = new Map<string, number>();

  const numbered = (key: string, counts: Map<string, number>): string => {
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    return count === 1 ? key : `${key}#${count}`;
  };
  const list = (steps: readonly Step[], prefix: string, place: Place): readonly Step[] => {
    const counts = new Map<string, number>();
    return steps.map((step) => one(step, numbered(`${prefix}/${labelOf(step)}`, counts), place));
  };
  const one = (step: Step, key: string, place: Place): Step => {
    const why = whyNot(step, place);
    if (why !== undefined) {
      throw new ConfigurationError(`Cannot use the step ${key} of the saga "${saga}": ${why}`);
    }
    switch (step.kind) {
      case "request": {
        // Whoever sent the event of a rule waits on.
        const inside = place === "rule" ? "rule" : "later";
        const made: RequestStep = {
          ...step,
          key,
          completed: list(step.completed, `${key}/completed`, inside),
          faulted: list(step.faulted, `${key}/faulted`, inside),
          timedOut: list(step.timedOut, `${key}/timedOut`, inside),
          answers: answers(step),
        };
        requests.set(key, made);
        return made;
      }
      case "branch":
        return {
          ...step,
          key,
          cases: new Map([...step.cases].map(([name, steps]) => [name, list(steps, `${key}/${name}`, place)])),
        };
      case "sequence":
      case "retry":
      case "catch":
        return { ...step, key, steps: list(step.steps, key, place) };
      case "compensateWith": {
        const made: CompensateWithStep = { ...step, key, undo: list(step.undo, key, "undo") };
        const other = written.get(step.name);
        if (other !== undefined && other !== step) {
          throw new ConfigurationError(
            `Cannot use two undos of the name "${step.name}" in the saga "${saga}": instances remember them by name. ` +
              `Name one differently, or write both as one sequence(…) and run it twice`,
          );
        }
        written.set(step.name, step);
        if (other === undefined) undos.set(step.name, made);
        return made;
      }
      default:
        return { ...step, key };
    }
  };
  const rules = placed.map(({ scope, trigger, steps }): RuleDefinition => {
    const key = numbered(keyOf(scope, trigger), counted);
    return { key, scope, trigger, steps: list(steps, key, placeOf(scope, trigger)) };
  });
  return { rules, requests, undos };
}

function placeOf(scope: RuleDefinition["scope"], { on }: Trigger): Place {
  if (scope === "missing") return "missing";
  if (on === "leave" || on === "beforeEnter" || on === "afterLeave") return "passage";
  return on === "event" ? "rule" : "later";
}

/** Why a step cannot be there, and what to do; `undefined`: it can. */
function whyNot({ kind }: Step, place: Place): string | undefined {
  const moves = kind === "transition" || kind === "finalize" || kind === "compensate" || kind === "request";
  if (place === "passage" && moves) {
    return "the instance is on its way from one state to another already. Do it in whenEnter";
  }
  if (kind === "respond" && place !== "rule" && place !== "missing") {
    return "nobody waits for its answer. Answer in the rule of the message";
  }
  if (place === "undo" && (kind === "compensate" || kind === "compensateWith")) {
    return "an undo is not undone itself. Do it in the rule";
  }
  const needsInstance = moves || kind === "compensateWith" || kind === "schedule" || kind === "unschedule" ||
    kind === "raise";
  if (place === "missing" && needsInstance) {
    return "there is no instance that it could change. Use then, publish, send and respond";
  }
  return undefined;
}

function keyOf(scope: RuleDefinition["scope"], trigger: Trigger): string {
  switch (trigger.on) {
    case "beforeEnter":
    case "enter":
    case "leave":
    case "afterLeave":
      return `${trigger.on}(${trigger.state})`;
    case "event":
      return `${scopeText(scope)}/${trigger.event}`;
    case "ignore":
      return `${scopeText(scope)}/ignore(${trigger.events.join(",")})`;
    case "all":
      return `${scopeText(scope)}/all(${trigger.key})`;
    case "timeout":
      return `${scopeText(scope)}/timeout(${trigger.timeout})`;
  }
}

/** The first state alone: a rule that is to hold in one state more keeps its key. */
function scopeText(scope: RuleDefinition["scope"]): string {
  return typeof scope === "string" ? scope : scope[0] ?? "";
}

/** What a step is, as its key says it. */
function labelOf(step: Step): string {
  switch (step.kind) {
    case "publish":
    case "send":
    case "request":
      return `${step.kind}(${step.contract.name})`;
    case "transition":
      return `transitionTo(${step.state})`;
    case "schedule":
    case "unschedule":
      return `${step.kind}(${step.timeout})`;
    case "raise":
      return `raise(${step.event})`;
    case "branch":
      return step.cases.has("then") ? "if" : "switch";
    case "sequence":
      return "run";
    case "catch":
      return `catch(${step.error.name})`;
    case "compensateWith":
      return `compensateWith(${step.name})`;
    default:
      return step.kind;
  }
}
