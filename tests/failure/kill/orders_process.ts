/**
 * A process of a service that is killed: `orders_process.ts <ledger> <broker> <point> <times> <skew> <group>`. Handles
 * all inputs that are there, and what follows from them; ends when nothing is left to do, unless it is killed before.
 */
import process from "node:process";
import { command, createBus, event, retry } from "../../../mod.ts";
import { systemClock } from "../../../src/runtime/system_clock.ts";
import type { Clock } from "../../../src/spi/clock.ts";
import { Killer } from "./killer.ts";
import { KillingStore } from "./killing_store.ts";
import { BrokerFile, LastingTransport } from "./lasting_broker.ts";
import { ledgerAt } from "./ledger.ts";

interface Order {
  readonly input: number;
}
const Submit = command<Order>("kill.submit", { key: ({ input }) => `key ${input % 5}` });
const Submitted = event<Order>("kill.submitted", { key: ({ input }) => `key ${input % 5}` });
const Bill = command<Order>("kill.bill");
const Receipt = command<Order>("kill.receipt");
const Enter = command<Order>("kill.enter");
const Remind = command<Order>("kill.remind");

const [url = "", brokerPath = "", point = "", times = "1", skew = "0", group = ""] = process.argv.slice(2);
const killer = new Killer(point, Number(times));
const ledger = await ledgerAt(url);
const broker = new BrokerFile(brokerPath);
// What cannot be sent at once waits a second: who is killed elsewhere need not wait for that.
const transport = new LastingTransport(broker, killer, point.startsWith("later") ? "topic:kill.bill" : undefined);
const store = new KillingStore(ledger.store(), killer);

// Later than the lives before: their leases have run out, and nobody waits for that.
const clock: Clock = {
  now: () => systemClock.now() + Number(skew),
  at: (time, run) => systemClock.at(time - Number(skew), run),
};
const bus = createBus({ name: "orders", transport, store, clock });
bus.endpoint("orders", {
  outbox: group === "" ? true : { group: Number(group) },
  concurrency: 4,
  retry: retry.immediate(1),
})
  .handle(Submit, async (order, ctx) => {
    await ctx.publish(Submitted, order);
    await ledger.write(ctx.tx, { step: "order", input: order.input });
    killer.cross("written");
    if (order.input % 4 === 0 && ctx.attempt === 1) throw new Error("The first attempt fails");
    await ctx.send(Bill, order);
    const taken = await ctx.schedule(Remind, { input: -1 }, { in: "50ms" });
    await ctx.schedule(Remind, order, { in: "50ms" });
    await ctx.unschedule(taken);
    killer.cross("handled");
  });
// No transaction of its own: all in one commit at the end.
bus.endpoint("billing", { outbox: true }).handle(Bill, (order, ctx) => ctx.send(Receipt, order));
bus.endpoint("books", { outbox: true }).batch(Submitted, { size: 3, within: "10ms" }, async (batch, ctx) => {
  for (const { message } of batch) {
    await ledger.write(ctx.tx, { step: "book", input: message.input });
    await ctx.send(Enter, message);
  }
});
bus.endpoint("reminders", { outbox: true })
  .handle(Remind, (order, ctx) => ledger.write(ctx.tx, { step: "remind", input: order.input }));
// Whoever is told: at least once.
bus.endpoint("world").handle(Receipt, () => {}).handle(Enter, () => {});

await bus.start();
transport.restore();
process.stdout.write("ready\n");
for (const input of broker.unfed()) {
  // Dies in between: the next one sends it again, under the same id.
  await bus.send(Submit, { input }, { messageId: `input ${input}` });
  broker.fed(input);
}
const isQuiet = async (): Promise<boolean> => {
  if (broker.left > 0) return false;
  const { outbox, schedules } = await ledger.left();
  return outbox + schedules === 0;
};
while (!await isQuiet()) await new Promise((resolve) => setTimeout(resolve, 10));
await bus.stop();
await ledger.close();
broker.close();
