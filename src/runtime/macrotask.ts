/** Turns of the event loop. @module */

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

/**
 * Runs `run` soon, after all microtasks and what the event loop has waiting: timers, sockets. A few microseconds.
 * Work that goes on in microtasks alone lets nothing else run; now and then it must take a turn.
 */
// Read once, so that test runners which later put fake timers in its place do not stop the turns.
export const macrotask: (run: () => void) => unknown = (globalThis as Immediate).setImmediate ?? byMessage;
