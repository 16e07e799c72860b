/**
 * Bytes allocated for a message by reference, the message itself apart. Wants `--expose-gc` and a young generation
 * larger than the run: nothing is collected in between, so that what is used afterwards is what was allocated.
 *
 * @module
 */
import process from "node:process";
import { createBus, event, memory } from "../../mod.ts";
import { finish, scaled } from "../support/program.ts";
import { type Text, text } from "./messages.ts";

const TextSent = event<Text>("bench.text-sent");
const collect = (globalThis as { readonly gc?: () => void }).gc;
if (collect === undefined) throw new Error("Cannot measure what is allocated: run with --expose-gc");

const bus = createBus({ name: "bench", transport: memory({ byReference: true }) });
let left = 0;
let done = () => {};
bus.endpoint("texts").handle(TextSent, () => {
  if (--left === 0) done();
});
await bus.start();

async function run(messages: readonly Text[]): Promise<void> {
  left = messages.length;
  const all = new Promise<void>((resolve) => done = resolve);
  // Every hundredth is awaited: what an `await` allocates is the publisher's.
  for (let i = 0; i < messages.length; i++) {
    const published = bus.publish(TextSent, messages[i] as Text);
    if (i % 100 === 99) await published;
  }
  await all;
}

// So many that what compiling again after a collection allocates, some 10 MB, does not count for much.
const count = scaled(200_000);
const messages = Array.from({ length: count }, () => text());
// Compiled now, and every pool at its size: until the optimizing compiler is done, each number in a field is an object.
for (let warm = 0; warm < 10; warm++) {
  await run(messages);
  collect();
}
const before = process.memoryUsage().heapUsed;
await run(messages);
const after = process.memoryUsage().heapUsed;
finish((after - before) / count);
