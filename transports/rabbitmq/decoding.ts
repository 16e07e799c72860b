/** The frames of AMQP 0-9-1 that come with every message, read where they lie. @module */
import type { Buffer } from "node:buffer";

/** A frame as the client knows it: a method, the header of a message, or a part of its body. */
export interface ClientFrame {
  readonly id?: number;
  readonly channel: number;
  readonly size?: number;
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly content?: Uint8Array;
  /** Of a delivery, where all of it was there: see {@linkcode readWhole}. */
  readonly message?: ClientMessage;
}
/** A message as the client knows it. */
export interface ClientMessage {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly properties: Readonly<Record<string, unknown>>;
  readonly content: Uint8Array;
}

const deliver = 0x003c003c;
const acknowledged = 0x003c0050;
const basic = 0x3c;
/** What a frame has before its payload, what ends it, and what it has besides its payload. */
const before = 7;
const frameEnd = 0xce;
const around = before + 1;

/** Reads a frame that is all there; `undefined`: it is one of those that are left to the client. */
export function readFrame(bytes: Buffer, at: number, size: number): ClientFrame | undefined {
  const channel = (bytes[at + 1]! << 8) | bytes[at + 2]!; // the caller says that it is all there
  const begin = at + before;
  switch (bytes[at]) {
    case 1: {
      const id = uint32(bytes, begin);
      if (id === deliver) return { id, channel, fields: delivery(bytes, begin + 4) };
      if (id !== acknowledged) return undefined;
      const fields = { deliveryTag: uint64(bytes, begin + 4), multiple: (bytes[begin + 12]! & 1) === 1 };
      return { id, channel, fields };
    }
    case 2: {
      if (((bytes[begin]! << 8) | bytes[begin + 1]!) !== basic) return undefined;
      const fields = properties(bytes, begin + 12);
      return fields && { id: basic, channel, size: uint64(bytes, begin + 4), fields };
    }
    case 3:
      // A plain view: no receiver wants what else the client's buffers are, and those take longer to make.
      return { channel, content: new Uint8Array(bytes.buffer, bytes.byteOffset + begin, size) };
    default:
      return undefined;
  }
}

/**
 * The delivery that `frame` begins, with its header and its body, and where it ends. `undefined`: not all of it is there,
 * or it is one of those that are left to the client; then `frame` stands for itself.
 *
 * @param at where `frame` ends
 */
export function readWhole(
  bytes: Buffer,
  { id, channel, fields }: ClientFrame,
  at: number,
): { readonly frame: ClientFrame; readonly end: number } | undefined {
  if (id !== deliver || fields === undefined) return undefined;
  const begin = beginOf(bytes, at, 2, channel);
  if (begin === undefined) return undefined;
  const header = readFrame(bytes, at, begin.size);
  if (header?.fields === undefined) return undefined;
  const body = beginOf(bytes, begin.end, 3, channel);
  if (body === undefined || body.size !== header.size) return undefined;
  const content = readFrame(bytes, begin.end, body.size)?.content;
  if (content === undefined) return undefined;
  const message = { fields, properties: header.fields, content };
  return { frame: { id, channel, fields, message }, end: body.end };
}

/** The size of a frame that is of this type and channel, and all there; and where it ends. */
function beginOf(bytes: Buffer, at: number, type: number, channel: number) {
  if (bytes.byteLength < at + around || bytes[at] !== type) return undefined;
  if (((bytes[at + 1]! << 8) | bytes[at + 2]!) !== channel) return undefined;
  const size = uint32(bytes, at + 3);
  const end = at + around + size;
  return bytes.byteLength >= end && bytes[end - 1] === frameEnd ? { size, end } : undefined;
}

function delivery(bytes: Buffer, start: number): Readonly<Record<string, unknown>> {
  let at = start;
  const consumerTag = known(bytes, at + 1, at += 1 + bytes[at]!);
  const deliveryTag = uint64(bytes, at);
  const redelivered = (bytes[at + 8]! & 1) === 1;
  at += 9;
  const exchange = known(bytes, at + 1, at += 1 + bytes[at]!);
  const routingKey = known(bytes, at + 1, at += 1 + bytes[at]!);
  return { consumerTag, deliveryTag, redelivered, exchange, routingKey };
}

function properties(bytes: Buffer, start: number): Readonly<Record<string, unknown>> | undefined {
  const flags = (bytes[start]! << 8) | bytes[start + 1]!;
  // Any but these are of foreign senders.
  if ((flags & ~(0x8000 | 0x2000 | 0x1000 | 0x0800 | 0x0100 | 0x0080 | 0x0020 | 0x0008)) !== 0) return undefined;
  let at = start + 2;
  let contentType: string | undefined;
  let headers: Readonly<Record<string, unknown>> | undefined;
  let deliveryMode: number | undefined;
  let priority: number | undefined;
  let expiration: string | undefined;
  let messageId: string | undefined;
  let type: string | undefined;
  let appId: string | undefined;
  if ((flags & 0x8000) !== 0) contentType = known(bytes, at + 1, at += 1 + bytes[at]!);
  if ((flags & 0x2000) !== 0) {
    const end = at + 4 + uint32(bytes, at);
    headers = table(bytes, at + 4, end);
    if (headers === undefined) return undefined;
    at = end;
  }
  if ((flags & 0x1000) !== 0) deliveryMode = bytes[at++];
  if ((flags & 0x0800) !== 0) priority = bytes[at++];
  if ((flags & 0x0100) !== 0) expiration = bytes.toString("utf8", at + 1, at += 1 + bytes[at]!);
  if ((flags & 0x0080) !== 0) messageId = bytes.toString("utf8", at + 1, at += 1 + bytes[at]!);
  if ((flags & 0x0020) !== 0) type = known(bytes, at + 1, at += 1 + bytes[at]!);
  if ((flags & 0x0008) !== 0) appId = known(bytes, at + 1, at += 1 + bytes[at]!);
  return {
    contentType,
    contentEncoding: undefined,
    headers,
    deliveryMode,
    priority,
    correlationId: undefined,
    replyTo: undefined,
    expiration,
    messageId,
    timestamp: undefined,
    type,
    userId: undefined,
    appId,
    clusterId: undefined,
  };
}

/** `undefined`: there are values in it that are left to the client. */
function table(bytes: Buffer, start: number, end: number): Readonly<Record<string, unknown>> | undefined {
  const headers: Record<string, unknown> = {};
  let at = start;
  while (at < end) {
    const name = known(bytes, at + 1, at += 1 + bytes[at]!);
    if (name === "__proto__") return undefined;
    switch (bytes[at++]) {
      case 0x53: { // S
        const begin = at + 4;
        const length = uint32(bytes, at);
        at = begin + length;
        // What senders say of themselves comes again and again; what is long hardly does, and would be kept.
        headers[name] = length <= longestKnown ? known(bytes, begin, at) : bytes.toString("utf8", begin, at);
        break;
      }
      case 0x62: // b
        headers[name] = bytes[at++]! << 24 >> 24;
        break;
      case 0x73: // s
        headers[name] = ((bytes[at]! << 8) | bytes[at + 1]!) << 16 >> 16;
        at += 2;
        break;
      case 0x49: // I
        headers[name] = uint32(bytes, at) | 0;
        at += 4;
        break;
      case 0x6c: // l
        headers[name] = (uint32(bytes, at) | 0) * 2 ** 32 + uint32(bytes, at + 4);
        at += 8;
        break;
      case 0x74: // t
        headers[name] = bytes[at++] !== 0;
        break;
      default:
        return undefined;
    }
  }
  return headers;
}

function uint32(bytes: Buffer, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

function uint64(bytes: Buffer, at: number): number {
  return uint32(bytes, at) * 2 ** 32 + uint32(bytes, at + 4);
}

const mostKnown = 256;
const longestKnown = 256;
/** Texts that come with message after message: names, and where it was sent to. */
const texts: string[] = Array.from({ length: mostKnown }, () => "");

/** A text that has probably come before: to compare it is quicker than to make it anew. */
function known(bytes: Buffer, start: number, end: number): string {
  const length = end - start;
  if (length === 0) return "";
  const place = (length * 31 + bytes[start]! * 7 + bytes[end - 1]!) % mostKnown;
  const text = texts[place]!;
  if (text.length === length && same(text, bytes, start)) return text;
  return texts[place] = bytes.toString("utf8", start, end);
}

function same(text: string, bytes: Buffer, start: number): boolean {
  for (let index = text.length - 1; index >= 0; index--) {
    if (text.charCodeAt(index) !== bytes[start + index]) return false;
  }
  return true;
}
