/** Envelopes in a frame's headers, and back. @module */
import { UnreadableMessageError } from "../errors/receiving.ts";
import type { HostInfo } from "../runtime/host.ts";
import type { Frame, FrameHeaders, NativeValue } from "../spi/frame.ts";
import type { Envelope } from "./envelope.ts";
import { applicationHeaders, headerText, names } from "./headers.ts";
import { traceOf } from "./trace.ts";

/** The keys of `hero-meta`: what an envelope says beside its id, type, headers and trace. */
interface Meta {
  correlation?: string;
  conversation?: string;
  initiator?: string;
  request?: string;
  source?: string;
  destination?: string;
  response?: string;
  fault?: string;
  sent?: number;
  expires?: number;
  host?: HostInfo;
}

/** The headers of a frame that carries `envelope`. `types` is the serializer's. */
export function toHeaders(envelope: Envelope, types: string | undefined): FrameHeaders {
  const headers: Record<string, NativeValue> = {
    [names.id]: envelope.messageId,
    [names.type]: envelope.type,
    [names.meta]: JSON.stringify(toMeta(envelope)),
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

/** `JSON.stringify` drops what is undefined. */
function toMeta(envelope: Envelope): { readonly [K in keyof Meta]: Meta[K] | undefined } {
  return {
    correlation: envelope.correlationId,
    conversation: envelope.conversationId,
    initiator: envelope.initiatorId,
    request: envelope.requestId,
    source: envelope.sourceAddress,
    destination: envelope.destinationAddress,
    response: envelope.responseAddress,
    fault: envelope.faultAddress,
    sent: envelope.sentAt,
    expires: envelope.expiresAt,
    host: envelope.host,
  };
}

/**
 * The envelope of a frame. What a foreign sender left out is left out here, but the id, which `messageId` supplies.
 *
 * @throws {UnreadableMessageError} if `hero-meta` is not what it must be
 */
export function fromHeaders(frame: Frame, messageId: () => string): Envelope {
  const { headers } = frame;
  const meta = parseMeta(headerText(headers[names.meta]));
  return {
    messageId: headerText(headers[names.id]) || messageId(),
    type: headerText(headers[names.type]) ?? "",
    correlationId: meta.correlation,
    conversationId: meta.conversation,
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

const noMeta: Meta = Object.freeze({});
const texts = [
  "correlation",
  "conversation",
  "initiator",
  "request",
  "source",
  "destination",
  "response",
  "fault",
] as const;
const times = ["sent", "expires"] as const;

function parseMeta(text: string | undefined): Meta {
  if (text === undefined) return noMeta;
  let meta: Meta;
  try {
    meta = JSON.parse(text);
  } catch (cause) {
    throw new UnreadableMessageError(`its header "${names.meta}" is not JSON`, { cause });
  }
  if (typeof meta !== "object" || meta === null || Array.isArray(meta)) {
    throw new UnreadableMessageError(`its header "${names.meta}" is not a JSON object`);
  }
  for (const key of texts) {
    if (meta[key] !== undefined && typeof meta[key] !== "string") throw wrong(key, "text");
  }
  for (const key of times) {
    if (meta[key] !== undefined && !Number.isFinite(meta[key])) throw wrong(key, "a number of milliseconds");
  }
  return meta;
}

function wrong(key: string, what: string): UnreadableMessageError {
  return new UnreadableMessageError(`"${key}" in its header "${names.meta}" is not ${what}`);
}
