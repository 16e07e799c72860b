/** Messages that never leave the process. @module */
import type { Envelope } from "../envelope/envelope.ts";
import type { Frame, FrameHeaders } from "../spi/frame.ts";

const noHeaders: FrameHeaders = Object.freeze({});
const noBody = new Uint8Array(0);

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
}

/** What a frame refers to; `undefined` for one of bytes. */
export function referred({ reference }: Frame): Reference | undefined {
  return reference instanceof Reference ? reference : undefined;
}
