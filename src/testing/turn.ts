/** One turn of the event loop. @module */

/** A macrotask soon: a global of Deno, Bun and Node that no lib of the web's types has. */
interface Immediate {
  readonly setImmediate?: (run: () => void) => unknown;
}

/** Where there is no `setImmediate`: a message to oneself. A channel each, as an open port keeps a process alive. */
function byMessage(run: () => void): void {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {
    port1.close();
    run();
  };
  port2.postMessage(undefined);
}

// Read once, so that test runners which later put fake timers in its place do not stop the turns.
const soon: (run: () => void) => unknown = (globalThis as Immediate).setImmediate ?? byMessage;

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
  return new Promise((resolve) => soon(() => soon(resolve)));
}
