/** A message that a receiver has. @module */
import type { Leased } from "../../src/leasing/leased_messages.ts";
import type { Held } from "./message.ts";

/** A message that a receiver has. */
export type Lease = Held & Leased;
