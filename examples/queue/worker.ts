/**
 * A process that does jobs until its standard input ends: `worker.ts <file> <name>`. It may be killed at any time, and
 * started as often as you like.
 */
import process from "node:process";
import { createBus, retry } from "@hero/messaging";
import { sqlite } from "@hero/messaging/sqlite";
import { sqliteTransport } from "@hero/messaging/sqlite/transport";
import { failures, queue, Resize } from "./jobs.ts";

const [path = "", name = ""] = process.argv.slice(2);
const store = sqlite(path);
const bus = createBus({
  name: "pictures",
  store,
  // What a killed worker had in hand comes to another so much later: this demo is short.
  transport: sqliteTransport(store, { lease: "2s" }),
});

// Tried once more at once, then both again a second later; then it is given up.
bus.endpoint(queue, { outbox: true, retry: retry.immediate(1), redeliver: ["1s"] })
  .handle(Resize, async ({ job, fate }, ctx) => {
    await new Promise((resolve) => setTimeout(resolve, 5)); // the work
    if (ctx.attempt <= failures[fate]) throw new Error(`The picture of job ${job} cannot be read`);
    // One commit: this row, and that the job is done.
    await ctx.tx.run("INSERT INTO done (job, worker, attempt) VALUES (?, ?, ?)", job, name, ctx.attempt);
  });

await bus.start();
console.log("open");
for await (const _ of process.stdin);
await bus.stop();
