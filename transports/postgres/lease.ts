/** A message that a receiver has. @module */
import type { Leased } from "../../src/leasing/leased_messages.ts";
import type { Held } from "./message.ts";

/** A message that a receiver has. */
export interface Lease extends Held, Leased {
  /** Whether the order of its key counted when it was taken. */
  readonly keeps: boolean;
}
