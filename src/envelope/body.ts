/** The bodies of frames. @module */
import type { Frame } from "../spi/frame.ts";

/** A UTF-16 unit takes at most three bytes. */
const mostBytesPerUnit = 3;

/** Whether the body of a frame has more bytes than `most`. None are made of a text that cannot have so many. */
export function isLarger(frame: Frame, most: number): boolean {
  const { text } = frame;
  if (text !== undefined && text.length * mostBytesPerUnit <= most) return false;
  return frame.body.byteLength > most;
}
