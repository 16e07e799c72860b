/** A span around the handling of each message. @module */
import { toError } from "../../errors/receiving.ts";
import type { Span, Telemetry } from "../../spi/telemetry.ts";
import { isPromise } from "../../values/awaitable.ts";
import type { Consumption } from "../consumption.ts";
import type { Stage } from "../stage.ts";

/** A span around the handling of each message, retries included. */
export function tracing(telemetry: Telemetry): Stage {
  return {
    name: "telemetry",
    around: (next) => (consumption) => {
      const span = begin(telemetry, consumption);
      if (span === undefined) return next(consumption);
      consumption.span = span;
      const work = () => next(consumption);
      try {
        const result = span.run === undefined ? work() : span.run(work);
        if (!isPromise(result)) return span.end(consumption.error);
        return result.then(() => span.end(consumption.error), (thrown) => {
          span.end(toError(thrown));
          throw thrown;
        });
      } catch (thrown) {
        span.end(toError(thrown));
        throw thrown;
      }
    },
  };
}

function begin(telemetry: Telemetry, { services, envelope }: Consumption): Span | undefined {
  return telemetry.process({
    bus: services.bus,
    endpoint: services.name,
    type: envelope.type,
    messageId: envelope.messageId,
    conversationId: envelope.conversationId,
    parent: envelope.trace,
    sentAt: envelope.sentAt,
  });
}
