/** What the inbox of an endpoint calls a message. @module */
import type { InboxKey } from "../spi/rows.ts";
import type { Uuid } from "../values/uuid_v7.ts";

/** With the number always, as an id may end as a number would. */
export function inboxId(messageId: string, deferral: number): string {
  return deferral === 0 ? messageId + "#0" : `${messageId}#${deferral}`;
}

/** The key of a message in an inbox, which may know its id as a number: a store within the process need not read it. */
export class NumberedKey implements InboxKey {
  readonly endpoint: string;
  readonly messageId: string;
  readonly keepUntil: number;
  /** The id of a message that was never put off, where it was made in this process. */
  readonly uuid: Uuid | undefined;

  /** @param uuid the same as `id`, if it is known */
  constructor(endpoint: string, id: string, deferral: number, keepUntil: number, uuid: Uuid | undefined) {
    this.endpoint = endpoint;
    this.messageId = inboxId(id, deferral);
    this.keepUntil = keepUntil;
    // Each time it is put off it is another to the inbox.
    this.uuid = deferral === 0 ? uuid : undefined;
  }
}

/** The id as a number, where the key knows it. */
export function uuidIn(key: InboxKey): Uuid | undefined {
  return key instanceof NumberedKey ? key.uuid : undefined;
}
