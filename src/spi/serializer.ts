/**
 * The serializer plug-in: one message body, there and back. Knows nothing of contracts, envelopes or transports.
 *
 * A serializer is synchronous, keeps no state between calls and may be shared by any number of buses and stores.
 *
 * @module
 */

/** A value as bytes. */
export interface Serialized {
  /** The value alone. Owned by the caller, who may share it: the serializer never touches it again. */
  readonly body: Uint8Array;
  /**
   * The text of the `hero-types` header: what the body alone does not tell, in printable ASCII. `undefined` where the
   * body tells all, which is the common case, and then no header is sent. Opaque to all but the same serializer.
   */
  readonly types: string | undefined;
}

/** A value as text. */
export interface SerializedText {
  /** Well-formed: its UTF-8 is the body that {@linkcode Serializer.serialize} would have written. */
  readonly text: string;
  /** As {@linkcode Serialized.types}. */
  readonly types: string | undefined;
}

/**
 * Turns values into bytes and back, and promises: what arrives is equal to what was sent, or one side throws. Nothing
 * is changed in silence.
 */
export interface Serializer {
  /** The MIME type of what it writes and reads, in lower case and without parameters, as in `application/json`. */
  readonly contentType: string;
  /**
   * Writes a value. Never changes it, and keeps no reference to it.
   *
   * @throws {UnserializableError} naming the path of the value that cannot be carried
   */
  serialize(value: unknown): Serialized;
  /**
   * Reads what {@linkcode Serializer.serialize} wrote, and what others wrote as its format allows. Whatever `body` and
   * `types` hold, it ends in time linear to their length, sets no prototype and does not overflow the stack.
   *
   * @param body never changed
   * @param types as it came with the body; `undefined` if none did
   * @returns a fresh value, which nobody else holds
   * @throws {UnreadableMessageError} if `body` or `types` cannot be read, or exceeds a limit
   */
  deserialize(body: Uint8Array, types: string | undefined): unknown;
  /**
   * As {@linkcode Serializer.serialize}, for what stays within the process and needs no bytes. Left out, with
   * {@linkcode Serializer.fromText}: the format is no text.
   */
  toText?(value: unknown): SerializedText;
  /** As {@linkcode Serializer.deserialize}, of what {@linkcode Serializer.toText} wrote: also with other limits. */
  fromText?(text: string, types: string | undefined): unknown;
  /**
   * What reading what was written of a value would give, for what stays within the process and needs no text either,
   * where that is plain: objects and arrays, which nobody else holds, of texts, finite numbers, booleans and null.
   * `undefined`, and the value is to be written, where it is not, or may be more than is allowed. Whoever has
   * {@linkcode Serializer.copy} has {@linkcode Serializer.toText}, which a copy is given to once its text is asked for.
   *
   * @param mostBytes that what is written of it may have; left out: as many as the serializer allows
   */
  copy?(value: object, mostBytes?: number): object | undefined;
}
