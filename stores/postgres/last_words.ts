/** What a server says before it closes a connection. @module */

/** Why, as the server says it. */
export interface LastWords {
  /** SQLSTATE. */
  readonly state: string;
  readonly message: string;
}

/** An `ErrorResponse`: https://www.postgresql.org/docs/current/protocol-message-formats.html */
const errorResponse = 0x45;
const [severityField, stateField, messageField] = ["V", "C", "M"];
const decoder = new TextDecoder();

/** Whether a part of what a server sends begins with an error. */
export function beginsWithError(part: Uint8Array): boolean {
  return part[0] === errorResponse;
}

/**
 * Reads it; `undefined`: it is no error after which a server closes. The client hands one only to what is asked at the
 * time, and tells of one that comes by itself nothing but that the connection was closed.
 *
 * @param part that {@linkcode beginsWithError}
 */
export function lastWordsOf(part: Uint8Array): LastWords | undefined {
  if (part.length < 5) return undefined;
  const length = new DataView(part.buffer, part.byteOffset).getUint32(1);
  const fields = decoder.decode(part.subarray(5, length)).split("\0");
  const of = (name: string): string | undefined => fields.find((each) => each.startsWith(name))?.slice(1);
  const [state, message] = [of(stateField), of(messageField)];
  return of(severityField) === "FATAL" && state !== undefined && message !== undefined ? { state, message } : undefined;
}
