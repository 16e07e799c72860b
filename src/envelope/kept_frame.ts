/** Messages whose bytes and headers nobody may ask for. @module */
import { copyOfPlain } from "../values/plain_copy.ts";
import type { Frame, FrameHeaders } from "../spi/frame.ts";
import type { Serializer } from "../spi/serializer.ts";
import type { Envelope } from "./envelope.ts";
import { noHeaders } from "./headers.ts";
import { SentEnvelope } from "./sent_envelope.ts";
import { toHeaders } from "./wire.ts";

const encoder = new TextEncoder();
const noNotes: FrameHeaders = Object.freeze({});

/** A message: its text, or a plain copy, which is not to be changed. */
export type KeptContent = string | object;

/**
 * A frame where the transport keeps frames as they are. It holds the message as text, or as a copy that its text can be
 * made of; text, bytes and headers are made when they are first asked for.
 */
export class KeptFrame implements Frame {
  readonly contentType: string;
  readonly types: string | undefined;
  /** All that its headers say, beside `types`; `undefined`: what they say may be of others, who may change it. */
  readonly envelope: Envelope | undefined;
  readonly #copy: object | undefined;
  readonly #serializer: Serializer;
  #text: string | undefined;
  #headers: FrameHeaders | undefined;
  #body: Uint8Array | undefined;

  /**
   * @param content what `toText` of the serializer gave, with its types, or what `copy` gave, whose bytes are then no
   *   more than the transport takes
   */
  constructor(envelope: Envelope, serializer: Serializer, content: KeptContent, types: string | undefined) {
    this.contentType = serializer.contentType;
    this.types = types;
    this.#serializer = serializer;
    if (typeof content === "string") this.#text = content;
    else this.#copy = content;
    if (envelope.headers === noHeaders && envelope.trace === undefined) this.envelope = envelope;
    else this.#headers = toHeaders(envelope, types);
  }

  /** Whether it holds a copy: its bytes are then no more than the transport takes. */
  get isCopy(): boolean {
    return this.#copy !== undefined;
  }
  get headers(): FrameHeaders {
    // Of one of the two it was made.
    return this.#headers ??= toHeaders(this.envelope!, this.types);
  }
  get text(): string {
    return this.#text ??= this.#serializer.toText!(this.#copy).text; // it has one where it has `copy`
  }
  get body(): Uint8Array {
    return this.#body ??= encoder.encode(this.text);
  }

  /** The message for long keeping: a copy that holds no other objects, or its text. */
  get compact(): KeptContent {
    return this.#copy !== undefined && isFlat(this.#copy) ? this.#copy : this.text;
  }

  /** What it has in common with most others, and its id, by which they then differ. */
  get common(): SentEnvelope | undefined {
    const { envelope } = this;
    return envelope instanceof SentEnvelope && envelope.isCommon && this.types === undefined ? envelope : undefined;
  }
  /** Another one whose envelope is like that of this, which is common. */
  another(envelope: SentEnvelope, content: KeptContent): KeptFrame {
    return new KeptFrame(envelope, this.#serializer, content, undefined);
  }
  /** Whether one serializer has written both. */
  isWrittenAs(other: KeptFrame): boolean {
    return this.#serializer === other.#serializer;
  }

  /** What `serializer` would read of it, for its reader alone; `undefined`: it has to read it. */
  readBy(serializer: Serializer): object | undefined {
    return this.#copy !== undefined && serializer === this.#serializer ? copyOfPlain(this.#copy) : undefined;
  }
}

/** What the headers of a frame say, where it need not be read. */
export function envelopeIn(frame: Frame): Envelope | undefined {
  return frame instanceof KeptFrame ? frame.envelope : undefined;
}

/** The headers among which is what has become of a message since it was sent: one as it was sent has none. */
export function notesOf(frame: Frame): FrameHeaders {
  return envelopeIn(frame) === undefined ? frame.headers : noNotes;
}

function isFlat(copy: object): boolean {
  if (Array.isArray(copy)) return false;
  for (const key in copy) {
    const value = (copy as Readonly<Record<string, unknown>>)[key];
    if (typeof value === "object" && value !== null) return false;
  }
  return true;
}
