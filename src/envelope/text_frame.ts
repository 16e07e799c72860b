/** Messages whose bytes and headers nobody may ask for. @module */
import type { Frame, FrameHeaders } from "../spi/frame.ts";
import type { Envelope } from "./envelope.ts";
import { noHeaders } from "./headers.ts";
import { topicOf } from "./meta.ts";
import { SentEnvelope } from "./sent_envelope.ts";
import { toHeaders } from "./wire.ts";

const encoder = new TextEncoder();
const noNotes: FrameHeaders = Object.freeze({});

/**
 * A frame of text, where the transport keeps frames as they are: its bytes are made when they are first asked for, and
 * so are its headers.
 */
export class TextFrame implements Frame {
  readonly contentType: string;
  readonly text: string;
  readonly types: string | undefined;
  /** All that its headers say, beside `types`; `undefined`: what they say may be of others, who may change it. */
  readonly envelope: Envelope | undefined;
  #headers: FrameHeaders | undefined;
  #body: Uint8Array | undefined;

  /** @param text as `Serializer.toText` gave it, with its types */
  constructor(contentType: string, envelope: Envelope, text: string, types: string | undefined) {
    this.contentType = contentType;
    this.text = text;
    this.types = types;
    if (envelope.headers === noHeaders && envelope.trace === undefined) this.envelope = envelope;
    else this.#headers = toHeaders(envelope, types);
  }

  get headers(): FrameHeaders {
    // Of one of the two it was made.
    return this.#headers ??= toHeaders(this.envelope!, this.types);
  }
  get body(): Uint8Array {
    return this.#body ??= encoder.encode(this.text);
  }
}

/**
 * Whether an envelope says no more than its id and type, by whom it was sent, and where: such are alike, and a
 * `ReceivedEnvelope` says the same.
 */
export function isCommon(envelope: Envelope): boolean {
  const { messageId, type, conversationId, destinationAddress } = envelope;
  const { correlationId, initiatorId, requestId, responseAddress, expiresAt, trace, headers } = envelope;
  return envelope instanceof SentEnvelope && envelope.idTellsTime && conversationId === messageId &&
    destinationAddress === topicOf(type) && correlationId === undefined && initiatorId === undefined &&
    requestId === undefined && responseAddress === undefined && expiresAt === undefined && trace === undefined &&
    headers === noHeaders;
}

/** What the headers of a frame say, where it need not be read. */
export function envelopeIn(frame: Frame): Envelope | undefined {
  return frame instanceof TextFrame ? frame.envelope : undefined;
}

/** The headers among which is what has become of a message since it was sent: one as it was sent has none. */
export function notesOf(frame: Frame): FrameHeaders {
  return envelopeIn(frame) === undefined ? frame.headers : noNotes;
}
