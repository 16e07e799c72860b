/**
 * A process of a service whose queues and store are one database: `one_database_process.ts <address> <point> <times>
 * <stall>`. Handles what is there until it is killed. With `stall`, its first handler stands still for longer than a
 * lease, and then goes on; with `listen`, once its signal has told it that the message is another's.
 */
import process from "node:process";
import { createBus } from "../../../mod.ts";
import { Killer } from "./killer.ts";
import { KillingStore } from "./killing_store.ts";
import { KillingTransport } from "./killing_transport.ts";
import { ledgerAt } from "./ledger.ts";
import { handleAll } from "./one_database_service.ts";
import { queuesBeside } from "./queues_beside.ts";

const [address = "", point = "", times = "1", stall = ""] = process.argv.slice(2);
const killer = new Killer(point, Number(times));
const ledger = await ledgerAt(address);
const store = ledger.store();
const bus = createBus({
  name: "orders",
  store: new KillingStore(store, killer),
  transport: new KillingTransport((await queuesBeside(address)).given(store, { lease: "1s" }), killer),
});
const say = (word: string): void => void process.stdout.write(`${word}\n`);
let stalls = stall !== "";
handleAll(bus, ledger, async (at, signal) => {
  if (at !== "taken") return killer.cross(at);
  if (!stalls) return;
  stalls = false;
  say("stalls");
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4_000);
  if (stall !== "listen") return;
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  say(`aborted: ${signal.aborted}`);
});
bus.observe({ unhandled: (_, why) => say(why), consumed: () => say("consumed"), faulted: () => say("faulted") });
await bus.start();
say("ready");
