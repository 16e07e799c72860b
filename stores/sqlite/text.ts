/** Headers and records as they lie in the file. @module */
import { headersFromText, headersToText } from "../../src/envelope/stored_text.ts";
import type { FrameHeaders } from "../../src/spi/frame.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Headers as bytes. */
export function toHeaders(headers: FrameHeaders): Uint8Array {
  return encoder.encode(headersToText(headers));
}

/** The headers that bytes hold. */
export function fromHeaders(bytes: Uint8Array): FrameHeaders {
  return headersFromText(decoder.decode(bytes));
}

/** Texts by name, as bytes. */
export function toRecord(record: Readonly<Record<string, string>>): Uint8Array {
  return toHeaders(record);
}

/** The texts by name that bytes hold. */
export function fromRecord(bytes: Uint8Array): Readonly<Record<string, string>> {
  return fromHeaders(bytes) as Readonly<Record<string, string>>; // written as such
}
