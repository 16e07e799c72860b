/** Tells a store which units are likely to begin soon. @module */
import { headerCount, headerText, names } from "../envelope/headers.ts";
import { inboxId } from "../envelope/inbox_key.ts";
import { referred } from "../pipeline/reference.ts";
import type { MessageKey } from "../spi/rows.ts";
import type { Delivery } from "../spi/transport.ts";
import type { Storage } from "./storage.ts";

/** Told of deliveries that wait for their turn. */
export type Foresee = (waiting: readonly Delivery[]) => void;

/** Tells an endpoint's store of them; `undefined`: it does not want to know. */
export function foreseeing(endpoint: string, storage: Storage): Foresee | undefined {
  if (storage.store.foresee === undefined) return undefined;
  return (waiting) => {
    const messages = waiting.flatMap((each) => keyOf(endpoint, each) ?? []);
    if (messages.length > 0) storage.foresee(messages);
  };
}

/**
 * The place of a message in the inbox, before it is read. None for one that has come before: whoever had it then may be
 * about to handle it, so that it is looked up when its turn has come.
 */
function keyOf(endpoint: string, { frame, deliveryCount }: Delivery): MessageKey | undefined {
  const id = referred(frame)?.envelope.messageId ?? headerText(frame.headers[names.id]);
  if (!id || deliveryCount !== 1) return undefined;
  return { endpoint, messageId: inboxId(id, headerCount(frame.headers[names.deferral])) };
}
