/** Telemetry that cannot harm a message. @module */
import type { Span, Telemetry } from "../spi/telemetry.ts";

/** The same telemetry, but what it throws is dropped: to see a message must not harm it. */
export function guardedTelemetry(telemetry: Telemetry): Telemetry {
  return {
    send: (activity) => guardedSpan(() => telemetry.send(activity)),
    receive: (bus, endpoint, count) => void quietly(() => telemetry.receive(bus, endpoint, count)),
    process: (activity) => guardedSpan(() => telemetry.process(activity)),
    settle: (bus, endpoint, outcome, count) => void quietly(() => telemetry.settle(bus, endpoint, outcome, count)),
  };
}

function quietly<Result>(look: () => Result): Result | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}

function guardedSpan(begin: () => Span | undefined): Span | undefined {
  const span = quietly(begin);
  if (span === undefined) return undefined;
  return {
    trace: quietly(() => span.trace),
    ...(span.run === undefined ? {} : { run: (work) => runIn(span, work) }),
    end: (error) => void quietly(() => span.end(error)),
  };
}

/** Runs the work once, whatever goes wrong around it, and gives what it gives. */
function runIn<Result>(span: Span, work: () => Result): Result {
  let outcome: { readonly value: Result } | { readonly thrown: unknown } | undefined;
  const noted = (): Result => {
    try {
      const value = work();
      outcome = { value };
      return value;
    } catch (thrown) {
      outcome = { thrown };
      throw thrown;
    }
  };
  quietly(() => span.run?.(noted));
  return resultOf(outcome, work);
}

function resultOf<Result>(
  outcome: { readonly value: Result } | { readonly thrown: unknown } | undefined,
  work: () => Result,
): Result {
  if (outcome === undefined) return work();
  if ("thrown" in outcome) throw outcome.thrown;
  return outcome.value;
}
