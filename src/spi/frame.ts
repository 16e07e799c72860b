/** Messages as bytes. @module */

/** What brokers carry natively in a header. */
export type NativeValue = string | number | boolean | bigint | Date | Uint8Array;

/** Native headers by name. */
export type FrameHeaders = Readonly<Record<string, NativeValue>>;

/** A message as bytes. Never changed by either side, so it may be shared. */
export interface Frame {
  /** The MIME type of `body`, by which the receiver picks its serializer. */
  readonly contentType: string;
  /** The envelope and the application's own headers, as native values. */
  readonly headers: FrameHeaders;
  /** The payload alone: a view, whose buffer may hold more than it. */
  readonly body: Uint8Array;
  /**
   * The payload as text, where it is known, which spares reading it from `body`: where the transport keeps frames as they
   * are ({@linkcode Capabilities.keepsFrames}), `body` is made of it once it is asked for.
   */
  readonly text?: string | undefined;
  /**
   * The message itself where the transport moves references ({@linkcode Capabilities.references}); `body` is then
   * empty. Opaque to the transport, which passes it on as it is.
   */
  readonly reference?: unknown;
}

/** The same frame with other headers. A frame may be of a class of its own: it is not spread. */
export function withHeaders(frame: Frame, headers: FrameHeaders): Frame {
  const { contentType, body, reference } = frame;
  return reference === undefined ? { contentType, headers, body } : { contentType, headers, body, reference };
}
