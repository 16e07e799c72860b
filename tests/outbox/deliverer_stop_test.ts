/** What becomes of the outbox when a bus stops. */
import { assertEquals } from "@std/assert";
import { command, event } from "../../mod.ts";
import type { Outgoing, Transport } from "../../src/spi/transport.ts";
import { memoryDatabase, memoryStore } from "../../stores/memory/mod.ts";
import { memory } from "../../transports/memory/mod.ts";
import { ScriptedStore } from "../support/fakes/scripted_store.ts";
import { type Trial, trial } from "../support/trial.ts";

const Work = command<{ id: string }>("deliverer.work");
const Done = event<{ by: string }>("deliverer.done");

trial("a stop waits for what has been committed to be sent, and for the store to know", async (t) => {
  const store = new ScriptedStore();
  const bus = t.bus({ store });
  bus.endpoint("work", { outbox: true }).handle(Work, (_, ctx) => ctx.publish(Done, { by: "1" }));
  await bus.start();
  await bus.send(Work, { id: "1" });
  await bus.stop();
  assertEquals(store.count("done"), 1);
});

/** A transport that takes messages to the topic, and says so when a test wants it to. */
function slow(t: Trial, topic: string): { readonly transport: Transport; confirm(): void } {
  const transport = memory({ broker: t.broker });
  const send = transport.send.bind(transport);
  let held: Outgoing[] = [];
  transport.send = (batch) => {
    held.push(...batch.filter(({ to }) => to === topic));
    const rest = batch.filter(({ to }) => to !== topic);
    return rest.length === 0 ? undefined : send(rest);
  };
  const confirm = () => {
    const batch = held;
    held = [];
    send(batch);
  };
  return { transport, confirm };
}

trial("a stop waits for the broker to confirm what is under way", async (t) => {
  const store = new ScriptedStore();
  const { transport, confirm } = slow(t, "topic:deliverer.done");
  const bus = t.bus({ store, transport });
  bus.endpoint("work", { outbox: true }).handle(Work, (_, ctx) => ctx.publish(Done, { by: "1" }));
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.settled();
  let stopped = false;
  const stopping = bus.stop().then(() => stopped = true);
  await t.settled();
  assertEquals([stopped, store.count("done")], [false, 0]);
  confirm();
  await stopping;
  assertEquals(store.count("done"), 1);
});

trial("a stop whose deadline passes leaves what was not confirmed to the next process, and no timer", async (t) => {
  const database = memoryDatabase();
  const { transport } = slow(t, "topic:deliverer.done");
  const bus = t.bus({ store: memoryStore({ database }), transport });
  bus.endpoint("work", { outbox: true }).handle(Work, (_, ctx) => ctx.publish(Done, { by: "1" }));
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.settled();
  const stopping = bus.stop({ deadline: "1s" });
  await t.pass(1000);
  await stopping;
  await t.settled();
  assertEquals(t.clock.pending, 0);
  const next = t.bus({ store: memoryStore({ database }) });
  const done: string[] = [];
  next.endpoint("done").handle(Done, ({ by }) => void done.push(by));
  await next.start();
  await t.pass(60_000);
  assertEquals(done, ["1"]);
});
