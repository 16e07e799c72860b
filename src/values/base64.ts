/** Bytes as base64 text (RFC 4648, section 4: `+`, `/`, padded). @module */

/** What Node ≥ 25, Deno and Bun have, and Node 22 to 24 lack (ECMAScript 2026). */
interface NativeBytes {
  readonly toBase64?: (this: Uint8Array) => string;
}
interface NativeConstructor {
  readonly fromBase64?: (text: string) => Uint8Array<ArrayBuffer>;
}
// Whether they are there, no lib of ours says.
const { toBase64: nativeToBase64 } = Uint8Array.prototype as NativeBytes;
const nativeConstructor = Uint8Array as NativeConstructor;

/** Writes bytes as base64. */
export function toBase64(bytes: Uint8Array): string {
  if (nativeToBase64 !== undefined) return nativeToBase64.call(bytes);
  let binary = "";
  // In chunks: the arguments of a call are bounded.
  for (let at = 0; at < bytes.length; at += 8192) binary += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(binary);
}

/**
 * Reads base64.
 *
 * @throws {Error} if `text` is not base64 (which error depends on the runtime)
 */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  if (nativeConstructor.fromBase64 !== undefined) return nativeConstructor.fromBase64(text);
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at++) bytes[at] = binary.charCodeAt(at);
  return bytes;
}
