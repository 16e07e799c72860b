import { assertEquals, assertRejects } from "@std/assert";
import { command, NotCancellableError, type ScheduleToken, type Store, UnsupportedError } from "../../mod.ts";
import type { Transport } from "../../src/spi/transport.ts";
import { memoryStore } from "../../stores/memory/mod.ts";
import { memory } from "../../transports/memory/mod.ts";
import { type Trial, trial } from "../support/trial.ts";

const Remind = command<{ id: string }>("where.remind");
const Work = command<{ id: string }>("where.work");

/** A broker as RabbitMQ is: what it delays outlives the processes, and is not given back. */
function lasting(t: Trial): Transport {
  const transport = memory({ broker: t.broker });
  const delay = { maxMs: 2 ** 32 - 1, cancel: false };
  return Object.defineProperty(transport, "capabilities", { value: { ...transport.capabilities, delay } });
}

/** A store as a database is. */
function durable(): Store<undefined> {
  const store = memoryStore();
  const { durable: _, ...capabilities } = store.capabilities;
  return Object.defineProperty(store, "capabilities", { value: capabilities });
}

/** Where a schedule of the bus waits, and one of a handler's unit. */
async function waitsIn(t: Trial, store: Store<undefined>, transport: Transport) {
  const bus = t.bus({ store, transport });
  bus.endpoint("reminders").handle(Remind, () => {});
  let ofUnit: ScheduleToken | undefined;
  bus.endpoint("work", { outbox: true }).handle(Work, async (_, ctx) => {
    ofUnit = await ctx.schedule(Remind, { id: "unit" }, { in: "1h" });
  });
  await bus.start();
  const waiting = async () => (await store.schedules.stats("app")).waiting;
  const token = await bus.schedule(Remind, { id: "bus" }, { in: "1h" });
  const outside = await waiting() === 1 ? "store" : "broker";
  await bus.send(Work, { id: "1" });
  await t.settled();
  const inside = await waiting() === (outside === "store" ? 2 : 1) ? "store" : "broker";
  return { bus, outside, inside, token, ofUnit };
}

trial("a store that dies with its process keeps no schedules that a broker would keep longer", async (t) => {
  const { bus, outside, inside, token, ofUnit } = await waitsIn(t, memoryStore(), lasting(t));
  assertEquals([outside, inside], ["broker", "store"]);
  await assertRejects(() => bus.unschedule(token), NotCancellableError, "durable store");
  await bus.unschedule(ofUnit ?? { id: "" });
  const { token: name, ...late } = { token: "x", late: "1h" } as const;
  await assertRejects(() => bus.schedule(Remind, { id: "1" }, { in: 1 }, { token: name }), UnsupportedError, "durable");
  await assertRejects(() => bus.schedule(Remind, { id: "1" }, { in: 1 }, late), UnsupportedError, "durable");
  await t.pass(60 * 60_000);
  assertEquals(bus.statistics("reminders").consumed, 1);
});

trial(
  "a durable store keeps schedules whatever the broker can, and so does one in memory where that dies as well",
  async (t) => {
    for (
      const [store, transport] of [[durable(), lasting(t)], [memoryStore(), memory({ broker: t.broker })]] as const
    ) {
      const { bus, outside, inside, token, ofUnit } = await waitsIn(t, store, transport);
      assertEquals([outside, inside], ["store", "store"]);
      await bus.unschedule(token);
      await bus.unschedule(ofUnit ?? { id: "" });
      await t.pass(60 * 60_000);
      assertEquals(bus.statistics("reminders").consumed, 0);
      await bus.stop();
    }
  },
);
