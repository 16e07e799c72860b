/** How both sides of a figure consume. @module */
import type { ConsumerOptions } from "./consumer.ts";

/** A connection for each that is in flight, and the two that the documentation asks for. */
export const single: ConsumerOptions = { concurrency: 8, pool: 10, group: 1, row: true };
/** More in flight than there are connections. */
export const grouped: ConsumerOptions = { concurrency: 64, pool: 8, group: 8, row: true };
/** It only publishes. */
export const collected: ConsumerOptions = { ...single, row: false };
