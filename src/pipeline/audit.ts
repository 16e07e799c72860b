/** Copies of what has been handled. @module */
import { names } from "../envelope/headers.ts";
import { withHeaders } from "../spi/frame.ts";
import type { Address } from "../spi/transport.ts";
import type { Consumption } from "./consumption.ts";
import { OutgoingMessage } from "./outgoing_message.ts";

/** Sends a copy of a message that has been handled to a queue. */
export function audit(consumption: Consumption, to: Address): Promise<void> {
  const { delivery, services, definition, envelope } = consumption;
  if (definition === undefined) return Promise.resolve();
  const { frame, key } = delivery;
  const copy = withHeaders(frame, { ...frame.headers, [names.auditedBy]: services.name });
  const routed = { definition, alsoTo: [], copy: true };
  const message = new OutgoingMessage(copy, { envelope, message: consumption.received }, "send", routed, { to, key });
  services.outbound.enqueue(message);
  return message.done;
}
