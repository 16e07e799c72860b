/**
 * One of many processes on one file: `crowd_process.ts <path> <ledger> <name> <count>`. Sends so many messages to the
 * queue that all share, and handles what comes, until it is ended. Writes down what it has sent and handled.
 */
import { appendFileSync } from "node:fs";
import process from "node:process";
import { command, createBus } from "../../../mod.ts";
import { sqliteTransport } from "../../../transports/sqlite/mod.ts";

const Work = command<{ readonly text: string }>("crowd.work");
const [path = "", ledger = "", name = "", count = "0"] = process.argv.slice(2);
const note = (...words: readonly string[]): void => appendFileSync(ledger, `${words.join(" ")}\n`);

const bus = createBus({ name: "crowd", transport: sqliteTransport(path, { synchronous: "normal" }) });
bus.endpoint("in", { concurrency: 8 }).handle(Work, ({ text }) => note("took", text, name));
bus.observe({ unhandled: (_, why) => note("unhandled", why, name) });
await bus.start();
note("ready", name);
const batch = 10;
for (let at = 0; at < Number(count); at += batch) {
  await Promise.all(
    Array.from({ length: batch }, (_, index) => bus.send(Work, { text: `${name}-${at + index}` }))
      .map((sending) => sending.catch((error) => note("unsent", String(error), name))),
  );
}
note("sent", name);
