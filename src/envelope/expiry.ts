/** Whether whoever reads a message sees that it has expired. @module */
import type { FrameHeaders } from "../spi/frame.ts";
import { headerText, names } from "./headers.ts";
import { readMeta } from "./meta_reading.ts";

/**
 * Whether the envelope of a message says when it expires: then its endpoint drops it when it has, counts it, or keeps
 * it. What of another sender says it to the broker alone, whoever takes it from there has to drop.
 *
 * @param headers of its frame
 */
export function saysExpiry(headers: FrameHeaders): boolean {
  try {
    return readMeta(headerText(headers[names.meta]), undefined, "").expires !== undefined;
  } catch {
    return false; // what cannot be read is no reason to keep it
  }
}
