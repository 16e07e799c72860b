/** Retries and redelivery. @module */
import { names } from "../envelope/headers.ts";
import { ConfigurationError } from "../errors/configuration.ts";
import { macrotask } from "../runtime/macrotask.ts";
import { toError } from "../errors/thrown.ts";
import { isPromise } from "../values/awaitable.ts";
import { milliseconds } from "../values/duration.ts";
import type { Consumption } from "./consumption.ts";
import type { Recoverability, Recovery } from "./recoverability.ts";
import { nextWait, type RetryPolicy } from "./retry.ts";
import type { Run } from "./stage.ts";
import type { ObservedFailure } from "./observers.ts";

/** What to do next: wait and run again, send back, give up, or drop. */
export type Decision =
  | { readonly then: "retry"; readonly waitInMs: number }
  | { readonly then: "redeliver"; readonly delayInMs: number }
  | { readonly then: "error" }
  | { readonly then: "discard" };

/** Decides about a failure. `retries` counts those of this delivery so far. */
export type Decide = (consumption: Consumption, error: Error, retries: number) => Decision;

/** Of retries without a wait. */
const mostInARow = 32;

const giveUp: Decision = Object.freeze({ then: "error" });
const drop: Decision = Object.freeze({ then: "discard" });

/** Retries first, then redelivery, whatever order they were written in. */
export function byPolicies(policy: RetryPolicy | undefined, redeliver: readonly number[]): Decide {
  return (consumption, error, retries) => {
    if (policy !== undefined) {
      const waitInMs = nextWait(policy, retries + 1, error, consumption.services.random);
      if (waitInMs !== undefined) return { then: "retry", waitInMs };
    }
    const delayInMs = redeliver[consumption.redeliveries];
    return delayInMs === undefined ? giveUp : { then: "redeliver", delayInMs };
  };
}

/** The caller's own rule. One that throws, or says what is none of the answers, gives the message up. */
export function byRule(rule: Recoverability): Decide {
  return (consumption, error) => {
    const recovery: Recovery = checked(rule(error, consumption.attempt), consumption);
    if (recovery === "retry") return { then: "retry", waitInMs: 0 };
    if (recovery === "error") return giveUp;
    if (recovery === "discard") return drop;
    return { then: "redeliver", delayInMs: milliseconds(recovery.delay, "{ delay } of what { recoverability } said") };
  };
}

/** From JavaScript a rule may say anything. */
function checked(said: unknown, { services }: Consumption): Recovery {
  if (said === "retry" || said === "error" || said === "discard") return said;
  if (typeof said === "object" && said !== null && "delay" in said) return said as Recovery;
  // An async rule is none; what it rejects with must not end the process.
  if (isPromise(said)) said.then(undefined, () => {});
  throw new ConfigurationError(
    `The recoverability of "${services.name}" said ${
      String(said)
    }. Let it say "retry", "error", "discard" or { delay }`,
  );
}

/**
 * After a failure: runs the handlers again, or has the message come again later, as the endpoint says.
 *
 * @param attempt runs the handlers
 * @returns the error with which the message is to be given up; `undefined`: it is not
 */
export async function recover(
  consumption: Consumption,
  first: Error,
  attempt: Run,
  decide: Decide,
): Promise<Error | undefined> {
  let error = first;
  for (let retries = 0;; retries++) {
    // What the handler asked for counts only if it returns.
    consumption.outcome = undefined;
    consumption.unhandled = undefined;
    if (interrupted(consumption)) return error;
    const decision = decided(consumption, error, retries, decide);
    if (decision.then !== "retry") return settle(consumption, error, decision);
    consumption.services.statistics.retried++;
    tell(consumption, error, "retry");
    if (decision.waitInMs > 0) await wait(consumption, decision.waitInMs);
    // A rule that never gives up must not keep the event loop from all else, the bus' stop among it.
    else if (retries % mostInARow === mostInARow - 1) await new Promise<void>((resolve) => macrotask(resolve));
    if (interrupted(consumption)) return error;
    consumption.attempt++;
    consumption.renew();
    try {
      await attempt(consumption);
      return undefined;
    } catch (thrown) {
      error = toError(thrown);
    }
  }
}

/** The claim is lost, or the bus stops: another process, or another start, tries next. */
function interrupted(consumption: Consumption): boolean {
  return consumption.lost || consumption.stopping;
}

function decided(consumption: Consumption, error: Error, retries: number, decide: Decide): Decision {
  try {
    return decide(consumption, error, retries);
  } catch (thrown) {
    // The failure stays the reason; that its rule failed too stands behind it.
    consumption.ruleError = toError(thrown);
    return giveUp;
  }
}

function settle(consumption: Consumption, error: Error, decision: Decision): Error | undefined {
  const { services } = consumption;
  switch (decision.then) {
    case "redeliver":
      consumption.error = error;
      services.statistics.redelivered++;
      consumption.outcome = {
        outcome: "again",
        dueAt: services.clock.now() + decision.delayInMs,
        headers: { [names.attempts]: consumption.attempt, [names.redeliveries]: consumption.redeliveries + 1 },
      };
      tell(consumption, error, "redeliver");
      return undefined;
    case "discard":
      consumption.error = error;
      services.statistics.discarded++;
      tell(consumption, error, "discard");
      return undefined;
    default:
      return error;
  }
}

function tell(consumption: Consumption, error: Error, then: ObservedFailure["then"]): void {
  const { observers } = consumption.services;
  if (!observers.any) return;
  const failure: ObservedFailure = { ...consumption.observed(), error, then };
  observers.tell((observer) => observer.retried?.(failure));
}

/** Waits while the delivery is held. Ends early when the handler should stop. */
export function wait(consumption: Consumption, waitInMs: number): Promise<void> {
  const { clock } = consumption.services;
  return new Promise((resolve) => {
    const cancel = clock.at(clock.now() + waitInMs, () => {
      consumption.interrupt = undefined;
      resolve();
    });
    consumption.interrupt = () => {
      consumption.interrupt = undefined;
      cancel();
      resolve();
    };
  });
}
