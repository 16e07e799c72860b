/** Messages that never leave the process. @module */
import type { Envelope } from "../envelope/envelope.ts";
import type { Frame, FrameHeaders } from "../spi/frame.ts";

const noHeaders: FrameHeaders = Object.freeze({});
const noBody = new Uint8Array(0);

/** Shared by all loaded copies of the package. */
const brand: unique symbol = Symbol.for("@hero/messaging/reference");

/** A frame that is the message itself, and has no bytes: where the transport moves references. */
export class Reference implements Frame {
  readonly envelope: Envelope;
  readonly message: unknown;

  constructor(envelope: Envelope, message: unknown) {
    this.envelope = envelope;
    this.message = message;
  }

  get contentType(): string {
    return "";
  }
  get headers(): FrameHeaders {
    return noHeaders;
  }
  get body(): Uint8Array {
    return noBody;
  }
  get reference(): this {
    return this;
  }
  get [brand](): 1 {
    return 1;
  }
}

/** What a frame refers to; `undefined` for one of bytes. */
export function referred({ reference }: Frame): Reference | undefined {
  if (reference instanceof Reference) return reference;
  // Of a bus that another copy of the package made.
  return typeof reference === "object" && reference !== null && brand in reference ? reference as Reference : undefined;
}
