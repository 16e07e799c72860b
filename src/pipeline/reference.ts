/** Messages that never leave the process. @module */
import type { Envelope } from "../envelope/envelope.ts";
import type { Frame } from "../spi/frame.ts";

/** What a frame refers to where the transport moves references. */
export class Reference {
  readonly envelope: Envelope;
  readonly message: unknown;

  constructor(envelope: Envelope, message: unknown) {
    this.envelope = envelope;
    this.message = message;
  }
}

const noHeaders = Object.freeze({});
const noBody = new Uint8Array(0);

/** A frame that refers to its message. */
export function referring(envelope: Envelope, message: unknown): Frame {
  return { contentType: "", headers: noHeaders, body: noBody, reference: new Reference(envelope, message) };
}

/** What a frame refers to; `undefined` for one of bytes. */
export function referred(frame: Frame): Reference | undefined {
  return frame.reference instanceof Reference ? frame.reference : undefined;
}
