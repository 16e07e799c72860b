/** One turn of the event loop. @module */

import { macrotask } from "../runtime/macrotask.ts";

/**
 * Resolves when all microtasks, and the macrotasks without a delay that were queued before the call
 * (`setImmediate`, messages of a `MessageChannel`), have run, with the microtasks that those brought.
 *
 * Takes a few microseconds and keeps no process alive. It does not wait for `setTimeout(run, 0)`, which is a timer of
 * a millisecond on every runtime, nor for work outside the event loop (sockets, files, Web Crypto, compression).
 *
 * @example
 * ```ts
 * import { turn } from "./turn.ts";
 *
 * let done = false;
 * Promise.resolve().then(() => done = true);
 * await turn();
 * console.assert(done);
 * ```
 */
export function turn(): Promise<void> {
  // Two: where messages have a queue of their own (Deno, Node), it is served between one immediate and the next.
  return new Promise((resolve) => macrotask(() => macrotask(resolve)));
}
