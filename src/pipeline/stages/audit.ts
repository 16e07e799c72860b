/** Copies of what has been handled. @module */
import { names } from "../../envelope/headers.ts";
import type { Address } from "../../spi/transport.ts";
import { isPromise } from "../../values/awaitable.ts";
import type { Consumption } from "../consumption.ts";
import { OutgoingMessage } from "../outgoing_message.ts";
import type { Stage } from "../stage.ts";

/** Sends a copy of every message that has been handled to a queue, before the message is accepted. */
export function audit(to: Address): Stage {
  return {
    name: "audit",
    around: (next) => (consumption) => {
      const result = next(consumption);
      return isPromise(result) ? result.then(() => copy(consumption, to)) : copy(consumption, to);
    },
  };
}

function copy(consumption: Consumption, to: Address): void | Promise<void> {
  const { delivery, services, definition, envelope, unhandled, error } = consumption;
  if (definition === undefined || unhandled !== undefined || error !== undefined) return;
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
