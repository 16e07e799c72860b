/**
 * One of several processes of a service on one outbox: `sending_process.ts <ledger> <broker> <name> <count>`. Commits so
 * many units, each with a message of a key that all processes share, one of a key of its own, and one of no key, and
 * ends when nothing waits any more.
 */
import process from "node:process";
import { createBus, event } from "../../../mod.ts";
import { Killer } from "./killer.ts";
import { BrokerFile, LastingTransport } from "./lasting_broker.ts";
import { ledgerAt } from "./ledger.ts";

interface Tick {
  readonly number: number;
  readonly by: string;
}
const Shared = event<Tick>("processes.shared", { key: () => "all" });
const Own = event<Tick>("processes.own", { key: ({ by }) => by });
const Free = event<Tick>("processes.free");

const [url = "", brokerPath = "", name = "", count = "0"] = process.argv.slice(2);
const ledger = await ledgerAt(url);
const broker = new BrokerFile(brokerPath);
const bus = createBus({
  name: "service",
  transport: new LastingTransport(broker, new Killer("", 1)),
  store: ledger.store(),
  contracts: [Shared, Own, Free],
});
await bus.start();
for (let at = 0; at < Number(count); at++) {
  await bus.transaction(async (tx, sender) => {
    // One after the other, over all processes: the transactions do not overlap.
    const number = await ledger.next(tx);
    await sender.publish(Shared, { number, by: name });
    await sender.publish(Own, { number: at, by: name });
    await sender.publish(Free, { number: at, by: name });
  });
}
while ((await ledger.left()).outbox > 0) await new Promise((resolve) => setTimeout(resolve, 20));
await bus.stop();
await ledger.close();
broker.close();
