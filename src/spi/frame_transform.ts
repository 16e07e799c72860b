/** What is done to frames on their way: encryption, compression, claim checks. @module */
import type { Awaitable } from "../values/awaitable.ts";
import type { Frame } from "./frame.ts";

/**
 * Changes the frames of a bus on their way out, and changes them back on their way in. What it says in headers is its
 * own; it leaves those of others as they are. Not applied to what never leaves the process.
 */
export interface FrameTransform {
  /** As `bus.describe()` lists it. */
  readonly name: string;
  /** Before a frame is sent, after it has been serialized. What it throws is thrown by the send. */
  apply(frame: Frame): Awaitable<Frame>;
  /**
   * After a frame has come, before it is deserialized. One that it has not applied it gives back as it is. What it
   * throws sends the message to the error queue, as it came.
   */
  restore(frame: Frame): Awaitable<Frame>;
}
