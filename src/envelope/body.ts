/** The bodies of frames. @module */
import type { Frame } from "../spi/frame.ts";
import { KeptFrame } from "./kept_frame.ts";

/** A UTF-16 unit takes at most three bytes. */
const mostBytesPerUnit = 3;

/**
 * Whether the body of a frame has more bytes than `most`, which is what its transport takes. None are made of a text
 * that cannot have so many, nor of a copy, which was made within that.
 */
export function isLarger(frame: Frame, most: number): boolean {
  if (frame instanceof KeptFrame && frame.isCopy) return false;
  const { text } = frame;
  if (text !== undefined && text.length * mostBytesPerUnit <= most) return false;
  return frame.body.byteLength > most;
}
