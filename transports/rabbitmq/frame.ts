/** Frames as AMQP's messages, and back. @module */
import type { Message, Options } from "amqplib";
import { Buffer as NodeBuffer } from "node:buffer"; // what the client takes for a body
import { names } from "../../src/envelope/headers.ts";
import { UnreadableMessageError } from "../../src/errors/receiving.ts";
import { InvalidHeaderError } from "../../src/errors/sending.ts";
import type { Frame, FrameHeaders, NativeValue } from "../../src/spi/frame.ts";
import type { Address } from "../../src/spi/transport.ts";
import { metaIn } from "./heading.ts";

/** What this transport says in headers of its own, which no receiver sees. */
export const own = {
  /** The key. */
  key: "hero-amqp-key",
  /** When the message expires, in epoch milliseconds: AMQP's own expiration says for how long, not when. */
  expires: "hero-amqp-expires",
  /** When the message is due, in epoch milliseconds, where that is further off than the broker delays. */
  due: "hero-amqp-due",
  /** By which address it came first. */
  via: "hero-amqp-via",
  /** Values of other headers that AMQP, or its client, would change: name → kind, as JSON. */
  native: "hero-amqp-native",
} as const;
const ownPrefix = "hero-amqp-";

/**
 * What the broker itself writes, or its plug-in for delays. A delayed message must not carry the history of an earlier
 * delay: the broker takes that for a circle, and drops the message.
 */
const brokers = /^x-(?:death|first-death-|last-death-|delivery-count|acquired-count|delay$)|^B?CC$/;

/** What a client that routes by headers does with these is not what their sender wants. */
const isReserved = (name: string): boolean => name === "CC" || name === "BCC" || name.startsWith(ownPrefix);

/** Headers as AMQP's table. */
export type Table = Record<string, unknown>;

/** Makes empty tables that inherit no name. What `Object.create(null)` makes is looked up and listed much slower by V8. */
const EmptyTable = function () {} as unknown as { new (): Table; prototype: unknown };
EmptyTable.prototype = Object.freeze(Object.create(null));

/** Kinds in {@linkcode own.native}. */
type Kind = "bigint" | "date";

/**
 * Writes headers into a table.
 *
 * @throws {InvalidHeaderError} if the broker would take one for its own
 */
export function writeHeaders(headers: FrameHeaders, table: Table = new EmptyTable()): Table {
  let kinds: Record<string, Kind> | undefined;
  for (const name of Object.keys(headers)) {
    if (isReserved(name)) throw new InvalidHeaderError(name, "the broker takes it for its own. Rename it");
    const value = headers[name] as NativeValue; // a key of its own
    switch (typeof value) {
      case "number":
        table[name] = Number.isSafeInteger(value) && !Object.is(value, -0) ? value : { "!": "double", value };
        break;
      case "bigint":
        // The client reads 64 bits as a number.
        table[name] = String(value);
        (kinds ??= Object.create(null) as Record<string, Kind>)[name] = "bigint";
        break;
      case "object":
        if (value instanceof Date) {
          const time = value.getTime();
          if (time >= 0 && time % 1_000 === 0) table[name] = { "!": "timestamp", value: time / 1_000 };
          else {
            // AMQP's timestamps are in seconds.
            table[name] = time;
            (kinds ??= Object.create(null) as Record<string, Kind>)[name] = "date";
          }
        } else table[name] = asBuffer(value);
        break;
      default:
        table[name] = value;
    }
  }
  if (kinds !== undefined) table[own.native] = JSON.stringify({ ...kindsOf(table[own.native]), ...kinds });
  return table;
}

/** The same bytes, as the client wants them. */
export function asBuffer(bytes: Uint8Array): NodeBuffer {
  if (NodeBuffer.isBuffer(bytes)) return bytes;
  return NodeBuffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A plain view: what the client gives may have methods that look alike and differ. */
function asBytes(buffer: Uint8Array): Uint8Array {
  if (buffer.constructor === Uint8Array) return buffer;
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

/** What a message says, as far as a frame can. */
export interface Reading {
  readonly frame: Frame;
  readonly key: string | undefined;
  readonly deliveryCount: number | undefined;
  readonly via: Address | undefined;
  readonly expiresAt: number | undefined;
  readonly dueAt: number | undefined;
  readonly unreadable: Error | undefined;
}

/** Reads a message. */
export function read({ content, properties, fields }: Message): Reading {
  const table: Table = properties.headers ?? {};
  const headers: Record<string, NativeValue> = {};
  const meta = metaIn(properties);
  if (meta !== undefined) {
    headers[names.type] = properties.type;
    headers[names.meta] = meta;
  }
  let unreadable: Error | undefined;
  for (const name of Object.keys(table)) {
    if (isReserved(name) || (name.charCodeAt(0) === 0x78 && brokers.test(name))) continue; // "x"
    const value = nativeValue(table[name]);
    if (value !== undefined) set(headers, name, value);
  }
  if (table[own.native] !== undefined) {
    try {
      restore(headers, table[own.native]);
    } catch (cause) {
      unreadable = new UnreadableMessageError(`its header "${own.native}" is not what this transport writes`, {
        cause,
      });
    }
  }
  const { messageId } = properties;
  if (headers[names.id] === undefined && typeof messageId === "string") headers[names.id] = messageId;
  const count = returnsIn(table);
  return {
    frame: {
      contentType: typeof properties.contentType === "string" ? properties.contentType : "application/octet-stream",
      headers,
      body: asBytes(content),
    },
    key: textIn(table[own.key]),
    deliveryCount: count === undefined ? fields.redelivered ? undefined : 1 : count + 1,
    via: textIn(table[own.via]),
    expiresAt: timeIn(table[own.expires]),
    dueAt: timeIn(table[own.due]),
    unreadable,
  };
}

/**
 * How often a quorum queue says that a message came back; `undefined`: it says nothing. From RabbitMQ 4.3 on one count
 * leaves out what came back for other reasons than a failure, as after the consumer's timeout; the other has all.
 */
export function returnsIn(table: Table): number | undefined {
  const [failures, all] = [table["x-delivery-count"], table["x-acquired-count"]];
  // There, what another queue has given up brings that queue's count with it, which stands in both until it comes back.
  if (all !== undefined && all === failures && table["x-last-death-reason"] === "delivery_limit") return 0;
  const count = all ?? failures;
  return typeof count === "number" ? count : undefined;
}

function textIn(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function timeIn(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}

/** `undefined`: it cannot be said in a frame; the message keeps it all the same. */
export function nativeValue(value: unknown): NativeValue | undefined {
  switch (typeof value) {
    case "string":
    case "number":
    case "boolean":
      return value;
    case "object":
      break;
    default:
      return undefined;
  }
  if (value instanceof Uint8Array) return asBytes(value);
  if (value === null || !("!" in value) || !("value" in value)) return undefined;
  if (value["!"] === "timestamp" && typeof value.value === "number") return new Date(value.value * 1_000);
  return undefined;
}

function restore(headers: Record<string, NativeValue>, kinds: unknown): void {
  for (const [name, kind] of Object.entries(kindsOf(kinds))) {
    const value = headers[name];
    if (kind === "bigint" && typeof value === "string") set(headers, name, BigInt(value));
    else if (kind === "date" && typeof value === "number") set(headers, name, new Date(value));
  }
}

function kindsOf(text: unknown): Readonly<Record<string, unknown>> {
  if (typeof text !== "string") return {};
  const kinds: unknown = JSON.parse(text);
  if (typeof kinds !== "object" || kinds === null) throw new TypeError("It is no object");
  return kinds as Readonly<Record<string, unknown>>;
}

/** An assignment to `__proto__` would set the prototype. */
function set(headers: Record<string, NativeValue>, name: string, value: NativeValue): void {
  if (name !== "__proto__") headers[name] = value;
  else Object.defineProperty(headers, name, { value, enumerable: true, configurable: true, writable: true });
}

/**
 * The properties of a copy: all that came, nested tables and what else no frame can say, but for what the broker wrote
 * and the expiration. `user_id` is left out: the broker takes only that of the connection.
 *
 * @param added win
 * @param history whether the copy tells of its deaths
 */
export function copied(message: Message, added: FrameHeaders, history: boolean): Options.Publish & { headers: Table } {
  const { properties } = message;
  const table = new EmptyTable();
  const before: Table = properties.headers ?? {};
  for (const name of Object.keys(before)) {
    if (brokers.test(name) && !(history && /-death(?:-|$)/.test(name))) continue;
    table[name] = before[name];
  }
  if (typeof before[own.native] === "string") table[own.native] = without(before[own.native], Object.keys(added));
  return {
    contentType: properties.contentType,
    contentEncoding: properties.contentEncoding,
    headers: writeHeaders(added, table),
    deliveryMode: 2,
    priority: properties.priority,
    correlationId: properties.correlationId,
    replyTo: properties.replyTo,
    messageId: properties.messageId,
    timestamp: properties.timestamp,
    type: properties.type,
    appId: properties.appId,
  };
}

function without(text: unknown, replaced: readonly string[]): unknown {
  try {
    const kinds = { ...kindsOf(text) };
    for (const name of replaced) delete kinds[name];
    return JSON.stringify(kinds);
  } catch {
    return text; // it is not ours: it stays as it came
  }
}
