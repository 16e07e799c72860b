/** Turns of the event loop. @module */

/** Runs something in a turn of its own. */
type Macrotask = (run: () => void) => unknown;

// A global of Deno, Bun and Node that no lib of the web's types has. Looked up at the import, so that test runners which
// later put fake timers in its place do not stop the turns; but read only at the first turn, as Deno makes it when it is
// read, which takes as long as all the rest of a start.
const immediate: TypedPropertyDescriptor<Macrotask> | undefined = Object.getOwnPropertyDescriptor(
  globalThis,
  "setImmediate",
);
let found: Macrotask | undefined;
let taken = 0;

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
export function macrotask(run: () => void): void {
  found ??= immediate?.value ?? immediate?.get?.call(globalThis) ?? byMessage;
  found(() => {
    taken++;
    run();
  });
}

/** How many turns have been taken so: who counts what is done in a row begins anew with each, whoever asked for it. */
export function turnsTaken(): number {
  return taken;
}
