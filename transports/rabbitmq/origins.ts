/** What no frame can say of a message that was taken out of a queue, for when it is sent again. @module */
import type { Message, Options } from "amqplib";
import { isInfrastructure } from "../../src/envelope/headers.ts";
import { nativeValue, type Table } from "./frame.ts";
import { metaIn } from "./heading.ts";

/** By the body of its frame: whoever sends it again changes the headers alone. */
const origins = new WeakMap<Uint8Array, Message>();

/** Keeps in mind of which message a body is, as long as that is in use. */
export function remember(body: Uint8Array, message: Message): void {
  origins.set(body, message);
}

/** Puts into what is sent what its frame has lost: a foreign sender's properties, and headers that are tables or lists. */
export function restoreOrigin(body: Uint8Array, properties: Options.Publish, table: Table): void {
  const origin = origins.get(body);
  if (origin === undefined) return;
  const { contentEncoding, correlationId, replyTo, timestamp, type, appId, headers = {} } = origin.properties;
  Object.assign(properties, { contentEncoding, correlationId, replyTo, timestamp });
  if (metaIn(origin.properties) === undefined) Object.assign(properties, { type, appId }); // else the frame has both
  for (const name of Object.keys(headers)) {
    const value: unknown = headers[name];
    // What the library or the broker wrote tells of the failure.
    if (name in table || isInfrastructure(name) || nativeValue(value) !== undefined) continue;
    table[name] = value;
  }
}
