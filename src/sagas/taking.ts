/** Which rule takes an event, and composites, which count it. @module */
import { ConfigurationError } from "../errors/configuration.ts";
import { shown } from "../errors/shown.ts";
import { type Awaitable, isPromise } from "../values/awaitable.ts";
import type { RuleDefinition, Unhandled } from "./definition.ts";
import { andThen, type Handling, type Signal, suspended } from "./handling.ts";
import type { Handled, SagaInstance } from "./instance.ts";
import type { EventPlan } from "./plan.ts";
import type { StepContext } from "./step_context.ts";

const none: EventPlan["counted"] = [];

/** What became of an event. */
export type Taken = Handled | typeof suspended;

/** Has the instance handle one of its events. */
export function take(handling: Handling, event: string, context: StepContext): Awaitable<Taken> {
  const { plan, instance } = handling;
  const found = plan.stateOf(instance).events.get(event);
  const chosen = choose(handling, found, event, context);
  const counted = found?.counted ?? none;
  if (chosen === "handled") return accepted(instance, counted, event, undefined);
  if (typeof chosen === "string") return chosen;
  const result = handling.run(context, chosen.steps);
  if (isPromise(result)) return result.then((signal) => accepted(instance, counted, event, signal));
  return accepted(instance, counted, event, result);
}

/**
 * The rule that takes an event; else what becomes of it. `handled`: a composite counts it, and no rule takes it. Runs
 * filters and no step.
 */
export function choose(
  handling: Handling,
  found: EventPlan | undefined,
  event: string,
  context: StepContext,
): RuleDefinition | Handled {
  for (const rule of found?.rules ?? []) {
    const { trigger } = rule;
    if (trigger.on === "ignore") return "ignored";
    // A filter is typed by its saga, and was made for this context.
    if (trigger.on === "event" && (trigger.filter === undefined || trigger.filter(context as never))) return rule;
  }
  return found?.counts === true ? "handled" : unhandled(handling, event, context);
}

/** What becomes of what no rule takes: the saga decides. */
export function unhandled({ plan }: Handling, event: string, context: StepContext): Handled {
  const { onUnhandled, name } = plan.definition;
  const said: Unhandled = typeof onUnhandled === "function" ? onUnhandled(context as never, event) : onUnhandled;
  switch (said) {
    case "fault":
      return "unhandled";
    case "ignore":
      return "ignored";
    case "redeliver":
      return "redeliver";
    default:
      throw new ConfigurationError(
        `The onUnhandled of the saga "${name}" said ${shown(said)} of "${event}". ` +
          `Let it say "fault", "ignore" or "redeliver"`,
      );
  }
}

function accepted(instance: SagaInstance, counted: EventPlan["counted"], event: string, signal: Signal): Taken {
  for (const { key } of counted) {
    const arrived = instance.arrived[key];
    if (arrived === undefined) instance.arrived = { ...instance.arrived, [key]: [event] };
    // None: it has fired.
    else if (arrived.length > 0 && !arrived.includes(event)) {
      instance.arrived = { ...instance.arrived, [key]: [...arrived, event] };
    }
  }
  return signal ?? "handled";
}

/** Fires the composites that are complete, and that the state has a rule for: one may lead to the next. */
export function fire(handling: Handling): Awaitable<Signal> {
  const { instance } = handling;
  for (let next = complete(handling); next !== undefined; next = complete(handling)) {
    const { steps } = next.rule;
    instance.arrived = { ...instance.arrived, [next.key]: [] };
    const result = handling.run(handling.context(undefined), steps);
    if (isPromise(result)) return andThen(result, (signal) => signal ?? fire(handling));
    if (result === suspended) return suspended;
  }
  return undefined;
}

function complete({ plan, instance }: Handling): { readonly key: string; readonly rule: RuleDefinition } | undefined {
  if (plan.composites.length === 0) return undefined;
  const here = plan.stateOf(instance).composites;
  for (const { key, events } of plan.composites) {
    const rule = here.get(key);
    if (rule !== undefined && instance.arrived[key]?.length === events.length) return { key, rule };
  }
  return undefined;
}
