/** Envelopes in a frame's headers, and back. @module */
import type { Frame, FrameHeaders, NativeValue } from "../spi/frame.ts";
import type { Envelope } from "./envelope.ts";
import { applicationHeaders, headerText, names } from "./headers.ts";
import { writeMeta } from "./meta.ts";
import { commonMeta, readMeta } from "./meta_reading.ts";
import { ReceivedEnvelope } from "./received_envelope.ts";
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
 * The envelope of a frame. What a foreign sender left out is left out here, but the id, which `messageId` supplies. It
 * may be of a class of its own: it is not spread.
 *
 * @throws {UnreadableMessageError} if `hero-meta` is not what it must be
 */
export function fromHeaders(frame: Frame, messageId: () => string): Envelope {
  const { headers } = frame;
  const id = headerText(headers[names.id]) || undefined;
  const type = headerText(headers[names.type]) ?? "";
  const text = headerText(headers[names.meta]);
  if (id !== undefined && text !== undefined && type !== "") {
    const sender = commonMeta(text);
    if (sender !== undefined) {
      const { source, host } = sender;
      return new ReceivedEnvelope(id, type, source, host, applicationHeaders(headers), traceOf(headers));
    }
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
