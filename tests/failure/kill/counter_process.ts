/**
 * One of several processes with one saga: `counter_process.ts <address> <notes> <mode> <concurrency> <name>`. Handles what
 * comes until it is ended. Into the notes, a file, it appends a line for each thing that it does.
 */
import { appendFileSync, readFileSync } from "node:fs";
import process from "node:process";
import { createBus } from "../../../mod.ts";
import { counter } from "./counter_service.ts";
import { ledgerAt } from "./ledger.ts";
import { queuesBeside } from "./queues_beside.ts";

const [address = "", notes = "", mode = "", concurrency = "1", name = ""] = process.argv.slice(2);
const note = (...words: readonly string[]): void => appendFileSync(notes, `${words.join(" ")}\n`);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const begun = new Set<string>();
/** Waits until another process makes the same instance as well; where the store lets one in alone, not for ever. */
async function meet(id: string): Promise<void> {
  if (begun.has(id)) return; // after a conflict
  begun.add(id);
  note("starting", id, name);
  const others = (): boolean =>
    readFileSync(notes, "utf8").split("\n").some((line) =>
      line.startsWith(`starting ${id} `) && line !== `starting ${id} ${name}`
    );
  for (let waited = 0; waited < 500; waited += 5) {
    if (others()) return note("met", id, name);
    await pause(5);
  }
}
async function slowly(id: string): Promise<void> {
  await pause(3);
  note("counted", id, name);
}

const bus = createBus({
  name: "counters",
  store: (await ledgerAt(address)).store(),
  transport: (await queuesBeside(address)).alone({ lease: "3s" }),
});
bus.add(counter(mode === "pessimistic" ? mode : "optimistic", meet, slowly), {
  concurrency: Number(concurrency),
  prefetch: Number(concurrency),
});
await bus.start();
note("ready", name);
