/**
 * One of many processes that start at once: `migrating_process.ts <address> <notes> <gate> <name>`. Waits until the file
 * `gate` is there, starts a whole service, whose tables and queues nobody has made yet, sends a message of its own, and
 * handles what comes until it is ended. Into the notes, a file, it appends a line for each thing that it does.
 */
import { appendFileSync, existsSync } from "node:fs";
import process from "node:process";
import { createBus } from "../../../mod.ts";
import { busName, handleFlights, Ship } from "../../stores/in_flight.ts";
import { ledgerAt } from "./ledger.ts";
import { queuesBeside } from "./queues_beside.ts";

const [address = "", notes = "", gate = "", name = ""] = process.argv.slice(2);
const note = (...words: readonly string[]): void => appendFileSync(notes, `${words.join(" ")}\n`);

const bus = createBus({
  name: busName,
  store: (await ledgerAt(address)).store(),
  transport: (await queuesBeside(address)).alone({ lease: "30s" }),
});
handleFlights(bus, (what) => note("did", what));
bus.observe({ faulted: ({ error }) => note("faulted", String(error)) });
note("waits", name);
while (!existsSync(gate)) await new Promise((resolve) => setTimeout(resolve, 1));
await bus.start();
note("started", name);
await bus.send(Ship, { number: 1_000 + Number(name) });
