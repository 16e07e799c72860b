/** Envelopes in a frame's headers, and back. @module */
import type { Frame, FrameHeaders, NativeValue } from "../spi/frame.ts";
import type { Envelope } from "./envelope.ts";
import { applicationHeaders, headerText, names } from "./headers.ts";
import { timeIn, topicOf, writeMeta } from "./meta.ts";
import { commonMeta, type Meta, readMeta } from "./meta_reading.ts";
import { traceOf } from "./trace.ts";

/** The headers of a frame that carries `envelope`. `types` is the serializer's. */
export function toHeaders(envelope: Envelope, types: string | undefined): FrameHeaders {
  const headers: Record<string, NativeValue> = {
    [names.id]: envelope.messageId,
    [names.type]: envelope.type,
    [names.meta]: writeMeta(envelope),
  };
  if (types !== undefined) headers[names.types] = types;
  const { trace } = envelope;
  if (trace !== undefined) {
    if (trace.traceparent !== undefined) headers[names.traceparent] = trace.traceparent;
    if (trace.tracestate !== undefined) headers[names.tracestate] = trace.tracestate;
    if (trace.baggage !== undefined) headers[names.baggage] = trace.baggage;
  }
  for (const name in envelope.headers) {
    const value = envelope.headers[name] as NativeValue;
    if (name !== "__proto__") headers[name] = value;
    // One that came from elsewhere flows on: an assignment would set the prototype.
    else Object.defineProperty(headers, name, { value, enumerable: true, configurable: true, writable: true });
  }
  return headers;
}

/**
 * The envelope of a frame. What a foreign sender left out is left out here, but the id, which `messageId` supplies.
 *
 * @throws {UnreadableMessageError} if `hero-meta` is not what it must be
 */
export function fromHeaders(frame: Frame, messageId: () => string): Envelope {
  const { headers } = frame;
  const id = headerText(headers[names.id]) || undefined;
  const type = headerText(headers[names.type]) ?? "";
  const text = headerText(headers[names.meta]);
  if (id !== undefined && text !== undefined) {
    const sender = commonMeta(text);
    if (sender !== undefined) return firstOf(id, type, headers, sender);
  }
  // What is left out of it follows from an id; where none came, the new one is that of its conversation alone.
  const meta = readMeta(text, id, type);
  const own = id ?? messageId();
  return {
    messageId: own,
    type,
    correlationId: meta.correlation,
    conversationId: meta.conversation ?? (id === undefined && text !== undefined ? own : undefined),
    initiatorId: meta.initiator,
    requestId: meta.request,
    sourceAddress: meta.source,
    destinationAddress: meta.destination,
    responseAddress: meta.response,
    faultAddress: meta.fault,
    sentAt: meta.sent,
    expiresAt: meta.expires,
    headers: applicationHeaders(headers),
    trace: traceOf(headers),
    host: meta.host,
  };
}

/** The same of a message that says no more than who has sent it, as most do: the rest follows from its id and type. */
function firstOf(messageId: string, type: string, headers: FrameHeaders, { source, host }: Meta): Envelope {
  return {
    messageId,
    type,
    correlationId: undefined,
    conversationId: messageId,
    initiatorId: undefined,
    requestId: undefined,
    sourceAddress: source,
    destinationAddress: topicOf(type),
    responseAddress: undefined,
    faultAddress: undefined,
    sentAt: timeIn(messageId),
    expiresAt: undefined,
    headers: applicationHeaders(headers),
    trace: traceOf(headers),
    host,
  };
}
