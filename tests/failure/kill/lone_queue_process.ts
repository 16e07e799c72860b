/**
 * A process on queues by path or URL, with no store: `lone_queue_process.ts <address> <ledger> <doing> <name> <point>
 * <times>`. Into the ledger, a file, it appends a line for each thing that it does. `send` sends without an end, `take`
 * handles what is there, `keys` in the order of keys, and `hold` never ends the first that it handles.
 */
import { appendFileSync } from "node:fs";
import process from "node:process";
import { createBus } from "../../../mod.ts";
import { Killer } from "./killer.ts";
import { KillingTransport } from "./killing_transport.ts";
import { Keyed, sendWork, Work } from "./lone_queue_service.ts";
import { queuesBeside } from "./queues_beside.ts";

const [address = "", ledger = "", doing = "", name = "", point = "", times = "1"] = process.argv.slice(2);
const note = (...words: readonly unknown[]): void => appendFileSync(ledger, `${words.join(" ")}\n`);
const killer = new Killer(point, Number(times));
const keys = doing === "keys" || doing === "hold";
const transport = (await queuesBeside(address)).alone({ lease: keys ? "3s" : "1s" });
const bus = createBus({ name: "lone", transport: new KillingTransport(transport, killer) });
let held = doing !== "hold";
if (keys) {
  bus.endpoint("keys", { concurrency: 4, prefetch: 4, order: "key" }).handle(Keyed, async ({ key, number }) => {
    note("begins", key, number, name);
    if (!held) {
      held = true;
      await new Promise(() => {});
    }
    await new Promise((resolve) => setTimeout(resolve, 1)); // long enough for another to begin, if it may
    note("ends", key, number, name);
  });
} else if (doing === "take") {
  // Few at once: what a killed process holds comes again only when its lease has ended, and counts.
  bus.endpoint("work", { concurrency: 2, prefetch: 3 }).handle(Work, async ({ id }) => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    killer.cross("written");
    note("handled", id);
    killer.cross("handled");
  });
}
await bus.start();
note("ready", name);
process.stdout.write("ready\n");
if (doing === "send") {
  for (let at = 0;; at += 4) {
    await Promise.all([0, 1, 2, 3].map((nth) => sendWork(bus, `${name}-${at + nth}`, note)));
  }
}
