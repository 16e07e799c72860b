/** Telemetry that cannot harm a message. @module */
import type { Span, Telemetry } from "../spi/telemetry.ts";
import { isPromise } from "../values/awaitable.ts";

/** The same telemetry, but what it throws is dropped: to see a message must not harm it. */
export function guardedTelemetry(telemetry: Telemetry): Telemetry {
  return {
    send: (activity) => guardedSpan(() => telemetry.send(activity)),
    receive: (bus, endpoint, count) => void quietly(() => telemetry.receive(bus, endpoint, count)),
    process: (activity) => guardedSpan(() => telemetry.process(activity)),
    settle: (bus, endpoint, outcome, count) => void quietly(() => telemetry.settle(bus, endpoint, outcome, count)),
    backlog: (activity) => void quietly(() => telemetry.backlog?.(activity)),
  };
}

function quietly<Result>(look: () => Result): Result | undefined {
  try {
    const seen = look();
    // It is not waited for; what it rejects with must not end the process.
    if (isPromise<unknown>(seen)) seen.then(undefined, () => {});
    return seen;
  } catch {
    return undefined;
  }
}

function guardedSpan(begin: () => Span | undefined): Span | undefined {
  const span = quietly(begin);
  if (typeof span !== "object" || span === null) return undefined;
  return {
    trace: quietly(() => span.trace),
    ...(quietly(() => span.run) === undefined ? {} : { run: (work) => runIn(span, work) }),
    end: (error) => void quietly(() => span.end(error)),
  };
}

type Outcome<Result> = { readonly value: Result } | { readonly thrown: unknown };

/** Runs the work once, whatever goes wrong around it, also if it is asked for twice or too late; gives what it gives. */
function runIn<Result>(span: Span, work: () => Result): Result {
  let outcome: Outcome<Result> | undefined;
  const once = (): Result => {
    if (outcome !== undefined) return resultOf(outcome);
    try {
      const value = work();
      outcome = { value };
      return value;
    } catch (thrown) {
      outcome = { thrown };
      throw thrown;
    }
  };
  quietly(() => span.run?.(once));
  return once();
}

function resultOf<Result>(outcome: Outcome<Result>): Result {
  if ("thrown" in outcome) throw outcome.thrown;
  return outcome.value;
}
