/** Bytes as hexadecimal digits. @module */

const digits = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
/** Some runtimes write them themselves. */
const { toHex } = Uint8Array.prototype as { readonly toHex?: (this: Uint8Array) => string };

/** Two for each. */
export function digitsOf(bytes: Uint8Array): string {
  if (toHex !== undefined) return toHex.call(bytes);
  let text = "";
  for (const byte of bytes) text += digits[byte];
  return text;
}
