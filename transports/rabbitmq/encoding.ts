/** Messages as the frames of AMQP 0-9-1, written where they leave from. @module */
import type { Options } from "amqplib";

/** What is published, as the client takes it. */
export interface Publication {
  readonly exchange: string;
  readonly routingKey: string;
  readonly content: Uint8Array;
  readonly properties: Options.Publish;
}

/** Properties that are written here. A message with others is left to the client. */
const known: ReadonlySet<string> = new Set([
  "contentType",
  "headers",
  "deliveryMode",
  "priority",
  "expiration",
  "messageId",
  "type",
  "appId",
  "mandatory",
]);

/** What frames and fixed fields take: three frames of 8 bytes each and the fields of two. */
const fixedBytes = 96;
const frameBytes = 8;
const mostShort = 255;
const encoder = new TextEncoder();
// deno-lint-ignore no-control-regex -- they take one byte, too
const ascii = /^[\u0000-\u007f]*$/;
/** What a sender says of itself comes with message after message. */
let lastShort = "";

/** Whether a text is surely short enough for a short string, which has at most 255 bytes. */
export function isShort(text: string): boolean {
  if (3 * text.length <= mostShort || text === lastShort) return true;
  if (text.length > mostShort || !ascii.test(text)) return false;
  lastShort = text;
  return true;
}

/** The most bytes that it can take; `undefined`: it is left to the client, which also knows what cannot be written. */
export function publicationBytes(
  { exchange, routingKey, content, properties }: Publication,
  frameMax: number,
): number | undefined {
  // A character takes at most three bytes; so none of these is longer than a short string may be.
  if (3 * exchange.length > mostShort || 3 * routingKey.length > mostShort) return undefined;
  let bytes = fixedBytes + 3 * (exchange.length + routingKey.length) + content.byteLength +
    frameBytes * Math.ceil(content.byteLength / (frameMax - frameBytes));
  for (const name in properties) if (!known.has(name)) return undefined;
  const { contentType = "", messageId = "", expiration = "", type = "", appId = "", headers = {} } = properties;
  for (const text of [contentType, messageId]) {
    if (typeof text !== "string" || 3 * text.length > mostShort) return undefined;
    bytes += 3 * text.length;
  }
  for (const text of [type, appId]) {
    if (typeof text !== "string" || !isShort(text)) return undefined;
    bytes += 3 * text.length;
  }
  bytes += String(expiration).length;
  for (const name in headers) {
    const value: unknown = headers[name];
    if (value === undefined) continue;
    if (3 * name.length > mostShort || name === "CC" || name === "BCC") return undefined;
    bytes += 3 * name.length + 16;
    if (typeof value === "string") bytes += 3 * value.length;
    else if (typeof value !== "boolean" && !(typeof value === "number" && Number.isSafeInteger(value))) {
      return undefined;
    }
  }
  return bytes;
}

/** Writes it, `publicationBytes` says how much room is needed. Gives where it ends. */
export function writePublication(
  into: Uint8Array,
  start: number,
  channel: number,
  { exchange, routingKey, content, properties }: Publication,
  frameMax: number,
): number {
  let at = beginFrame(into, start, 1, channel);
  at = uint32(into, at, 0x003c0028); // basic.publish
  into[at++] = 0; // a ticket, which nobody asks for
  into[at++] = 0;
  at = shortText(into, at, exchange);
  at = shortText(into, at, routingKey);
  into[at++] = properties.mandatory === true ? 1 : 0;
  at = endFrame(into, start, at);
  at = writeHeader(into, at, channel, content.byteLength, properties);
  const most = frameMax - frameBytes;
  for (let from = 0; from < content.byteLength; from += most) {
    const body = content.byteLength <= most ? content : content.subarray(from, from + most);
    const begin = at;
    at = beginFrame(into, begin, 3, channel);
    into.set(body, at);
    at = endFrame(into, begin, at + body.byteLength);
  }
  return at;
}

function writeHeader(into: Uint8Array, start: number, channel: number, size: number, properties: Options.Publish) {
  const { contentType, headers, deliveryMode, priority, expiration, messageId, type, appId } = properties;
  let at = beginFrame(into, start, 2, channel);
  at = uint32(into, at, 0x003c0000); // of basic, with a weight that nobody uses
  at = uint32(into, at, 0); // sizes have 64 bits; what is written here has less than 32
  at = uint32(into, at, size);
  const flagsAt = at;
  let flags = 0;
  at += 2;
  if (contentType !== undefined) {
    flags |= 0x8000;
    at = shortText(into, at, contentType);
  }
  if (headers !== undefined) {
    flags |= 0x2000;
    at = table(into, at, headers);
  }
  if (typeof deliveryMode === "number") {
    flags |= 0x1000;
    into[at++] = deliveryMode;
  }
  if (priority !== undefined) {
    flags |= 0x0800;
    into[at++] = priority;
  }
  if (expiration !== undefined) {
    flags |= 0x0100;
    at = shortText(into, at, String(expiration));
  }
  if (messageId !== undefined) {
    flags |= 0x0080;
    at = shortText(into, at, messageId);
  }
  if (type !== undefined) {
    flags |= 0x0020;
    at = shortText(into, at, type);
  }
  if (appId !== undefined) {
    flags |= 0x0008;
    at = shortText(into, at, appId);
  }
  into[flagsAt] = flags >>> 8;
  into[flagsAt + 1] = flags & 0xff;
  return endFrame(into, start, at);
}

function table(into: Uint8Array, start: number, headers: Readonly<Record<string, unknown>>): number {
  let at = start + 4;
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined) continue;
    at = shortText(into, at, name);
    if (typeof value === "string") {
      into[at] = 0x53; // S
      const begin = at + 5;
      const end = text(into, begin, value);
      uint32(into, at + 1, end - begin);
      at = end;
    } else if (typeof value === "number") at = integer(into, at, value);
    else {
      into[at++] = 0x74; // t
      into[at++] = value === true ? 1 : 0;
    }
  }
  uint32(into, start, at - start - 4);
  return at;
}

/** In as many bytes as the client takes for it, so that whoever reads it sees the same kind. */
function integer(into: Uint8Array, start: number, value: number): number {
  let at = start;
  if (value < 128 && value >= -128) {
    into[at++] = 0x62; // b
    into[at++] = value;
  } else if (value < 0x8000 && value >= -0x8000) {
    into[at++] = 0x73; // s
    into[at++] = value >> 8;
    into[at++] = value;
  } else if (value < 0x80000000 && value >= -0x80000000) {
    into[at++] = 0x49; // I
    at = uint32(into, at, value);
  } else {
    into[at++] = 0x6c; // l
    at = uint32(into, at, Math.floor(value / 2 ** 32));
    at = uint32(into, at, value);
  }
  return at;
}

function beginFrame(into: Uint8Array, start: number, type: number, channel: number): number {
  into[start] = type;
  into[start + 1] = channel >>> 8;
  into[start + 2] = channel;
  return start + 7;
}

function endFrame(into: Uint8Array, start: number, end: number): number {
  uint32(into, start + 3, end - start - 7);
  into[end] = 0xce;
  return end + 1;
}

function uint32(into: Uint8Array, at: number, value: number): number {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
  return at + 4;
}

function shortText(into: Uint8Array, at: number, value: string): number {
  const end = text(into, at + 1, value);
  into[at] = end - at - 1;
  return end;
}

/** Most texts here are short and plain: a loop is quicker than a call of the engine. */
function text(into: Uint8Array, start: number, value: string): number {
  const { length } = value;
  for (let index = 0; index < length; index++) {
    const unit = value.charCodeAt(index);
    if (unit > 0x7f) return start + encoder.encodeInto(value, into.subarray(start)).written;
    into[start + index] = unit;
  }
  return start + length;
}
