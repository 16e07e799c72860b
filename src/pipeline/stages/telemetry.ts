/** A span around the handling of each message. @module */
import type { Telemetry } from "../../spi/telemetry.ts";
import type { Run, Stage } from "../stage.ts";

/** Begins a span for each message; it ends when all is over, retries included. */
export function tracing(telemetry: Telemetry): Stage {
  return {
    name: "telemetry",
    around: (next) => (consumption) => {
      const { services, envelope } = consumption;
      consumption.span = telemetry.process({
        bus: services.bus,
        endpoint: services.name,
        type: envelope.type,
        messageId: envelope.messageId,
        conversationId: envelope.conversationId,
        parent: envelope.trace,
        sentAt: envelope.sentAt,
      });
      return next(consumption);
    },
  };
}

/** Runs an attempt with its span as the active one. */
export function inSpan(attempt: Run): Run {
  return (consumption) => {
    const { span } = consumption;
    return span?.run === undefined ? attempt(consumption) : span.run(() => attempt(consumption));
  };
}
