/** Copies of what has been handled. @module */
import { names } from "../envelope/headers.ts";
import type { Address } from "../spi/transport.ts";
import type { Consumption } from "./consumption.ts";
import { OutgoingMessage } from "./outgoing_message.ts";

/** Sends a copy of a message that has been handled to a queue. */
export function audit(consumption: Consumption, to: Address): Promise<void> {
  const { delivery, services, definition, envelope } = consumption;
  if (definition === undefined) return Promise.resolve();
  const { frame, key } = delivery;
  const message = new OutgoingMessage(
    { ...frame, headers: { ...frame.headers, [names.auditedBy]: services.name } },
    {
      kind: "send",
      definition,
      envelope,
      message: consumption.received,
      to,
      alsoTo: [],
      key,
      priority: undefined,
      dueAt: undefined,
      mandatory: false,
    },
  );
  services.outbound.enqueue(message);
  return message.done.then(() => {});
}
