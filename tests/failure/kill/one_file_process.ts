/**
 * A process of a service whose queues and store are one file: `one_file_process.ts <path> <point> <times> <stall>`.
 * Handles what is there until it is killed. With `stall`, its first handler stands still for longer than a lease.
 */
import process from "node:process";
import { createBus } from "../../../mod.ts";
import { sqlite } from "../../../stores/sqlite/mod.ts";
import { sqliteTransport } from "../../../transports/sqlite/mod.ts";
import { Killer } from "./killer.ts";
import { KillingStore } from "./killing_store.ts";
import { KillingTransport } from "./killing_transport.ts";
import { handleAll } from "./one_file_service.ts";

const [path = "", point = "", times = "1", stall = ""] = process.argv.slice(2);
const killer = new Killer(point, Number(times));
const store = sqlite({ path, synchronous: "normal" }); // as much as a killed process can tell apart
const bus = createBus({
  name: "orders",
  store: new KillingStore(store, killer),
  transport: new KillingTransport(sqliteTransport(store, { lease: "1s" }), killer),
});
const say = (word: string): void => void process.stdout.write(`${word}\n`);
let stalls = stall !== "";
handleAll(bus, (at) => {
  if (at !== "taken") return killer.cross(at);
  if (!stalls) return;
  stalls = false;
  say("stalls");
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4_000);
});
bus.observe({ unhandled: (_, why) => say(why), consumed: () => say("consumed"), faulted: () => say("faulted") });
await bus.start();
say("ready");
