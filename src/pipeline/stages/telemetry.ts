/** A span around the handling of each message. @module */
import type { Consumption } from "../consumption.ts";
import type { Run } from "../stage.ts";

/** Begins the span of a message; it ends when all is over, retries included. */
export function beginSpan(consumption: Consumption): void {
  const { services, envelope } = consumption;
  consumption.span = services.telemetry?.process({
    bus: services.bus,
    endpoint: services.name,
    type: envelope.type,
    messageId: envelope.messageId,
    conversationId: envelope.conversationId,
    parent: envelope.trace,
    sentAt: envelope.sentAt,
  });
}

/** Runs an attempt with its span as the active one. */
export function inSpan(attempt: Run): Run {
  return (consumption) => {
    const { span } = consumption;
    return span?.run === undefined ? attempt(consumption) : span.run(() => attempt(consumption));
  };
}
