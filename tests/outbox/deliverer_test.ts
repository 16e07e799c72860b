import { assertEquals } from "@std/assert";
import { ClosedError, command, event } from "../../mod.ts";
import type { Outgoing } from "../../src/spi/transport.ts";
import { memoryDatabase, memoryStore } from "../../stores/memory/mod.ts";
import { memory } from "../../transports/memory/mod.ts";
import { failing, lost } from "../support/fakes/failing_transport.ts";
import { ScriptedStore } from "../support/fakes/scripted_store.ts";
import { trial } from "../support/trial.ts";

const Work = command<{ id: string }>("deliverer.work");
const Step = event<{ at: number; of: string }>("deliverer.step", { key: ({ of }) => of });
const Base = event<{ by: string }>("deliverer.base");
const Done = event<{ by: string }>("deliverer.done", { extends: Base, priority: 3 });

/** What a process does with its rows has no effect any more. */
const neverAgain = (call: string) =>
  call === "later" || call === "done" || call === "claim" ? new Promise<void>(() => {}) : undefined;

trial(
  "what a process that crashed has committed is sent by another, with the same ids, once its lease is over",
  async (t) => {
    const database = memoryDatabase();
    const down: Outgoing[] = [];
    // It crashes between the commit and the sending: nothing of what it does then has an effect.
    const crashed = new ScriptedStore(database);
    const first = t.bus({
      store: crashed,
      transport: failing(t, ({ to }) => to === "topic:deliverer.done" ? lost() : undefined, down),
    });
    first.endpoint("work", { outbox: true }).handle(Work, ({ id }, ctx) => ctx.publish(Done, { by: id }));
    await first.start();
    await t.settled();
    crashed.script = neverAgain;
    await first.send(Work, { id: "1" });
    await t.settled();
    const ids = down.filter(({ to }) => to === "topic:deliverer.done").map(({ messageId }) => messageId);

    const second = t.bus({ store: memoryStore({ database }), contracts: [Done] });
    const done: string[] = [];
    second.endpoint("done").handle(Done, ({ by }, ctx) => void done.push(`${by} ${ctx.messageId}`));
    await second.start();
    await t.pass(29_999);
    assertEquals(done, []);
    await t.pass(1);
    assertEquals(done, [`1 ${ids[0]}`]);
    await first.stop({ deadline: 0 });
  },
);

trial("of one key nothing passes what is tried again; other keys, and those without, do", async (t) => {
  const fails = new Set(["a0"]);
  const seen: string[] = [];
  const transport = failing(t, ({ frame, to, key }) => {
    if (to !== "topic:deliverer.step") return undefined;
    const { at } = JSON.parse(new TextDecoder().decode(frame.body));
    seen.push(`${key}${at}`);
    return fails.delete(`${key}${at}`) ? lost() : undefined;
  });
  const bus = t.bus({ store: memoryStore(), transport });
  bus.endpoint("work", { outbox: true, concurrency: 1 }).handle(Work, async ({ id }, ctx) => {
    const from = Number(id) * 2;
    for (const at of [from, from + 1]) {
      await ctx.publish(Step, { at, of: "a" });
      await ctx.publish(Step, { at, of: "b" });
    }
  });
  const got: string[] = [];
  bus.endpoint("steps", { concurrency: 1 }).handle(Step, ({ at, of }) => void got.push(`${of}${at}`));
  await bus.start();
  await bus.send(Work, { id: "0" });
  await bus.send(Work, { id: "1" });
  await t.settled();
  assertEquals(got, ["b0", "b1", "b2", "b3"]);
  await t.pass(60_000);
  assertEquals(got.filter((each) => each.startsWith("a")), ["a0", "a1", "a2", "a3"]);
  assertEquals(seen.filter((each) => each.startsWith("a")), ["a0", "a0", "a1", "a2", "a3"]);
});

trial("a row keeps priority, base topics and what was asked of the broker, whoever sends it", async (t) => {
  const database = memoryDatabase();
  const stopped = new ScriptedStore(database);
  let away = true;
  const seen: Outgoing[] = [];
  const first = t.bus({
    store: stopped,
    transport: failing(t, ({ to }) => away && to !== "queue:work" ? lost() : undefined),
  });
  first.endpoint("work", { outbox: true, subscribe: false }).handle(Work, async (_, ctx) => {
    await ctx.publish(Done, { by: "1" }, { delay: "1h", ttl: "2h", headers: { tenant: "x" } });
    await ctx.send(Work, { id: "2" }, { to: "queue:other" });
  });
  await first.start();
  const start = t.clock.now();
  await t.settled();
  stopped.script = neverAgain;
  await first.send(Work, { id: "1" }, { to: "queue:work" });
  await t.settled();
  away = false;
  const second = t.bus({ store: memoryStore({ database }), transport: failing(t, () => undefined, seen) });
  second.endpoint("other", { subscribe: false }).handle(Work, () => {});
  await second.start();
  await t.pass(30_000);
  const shown = seen.map(({ to, alsoTo, mandatory, dueAt, expiresAt, priority, frame }) => ({
    to,
    alsoTo,
    mandatory,
    dueAt: dueAt === undefined ? undefined : dueAt - start,
    expiresAt: expiresAt === undefined ? undefined : expiresAt - start,
    priority,
    tenant: frame.headers["tenant"],
    kept: Object.keys(frame.headers).includes("hero-outbox"),
  }));
  assertEquals(shown, [
    {
      to: "topic:deliverer.done",
      alsoTo: [],
      mandatory: false,
      dueAt: 3_600_000,
      expiresAt: 10_800_000,
      priority: 3,
      tenant: "x",
      kept: false,
    },
    {
      to: "queue:other",
      alsoTo: [],
      mandatory: true,
      dueAt: undefined,
      expiresAt: undefined,
      priority: undefined,
      tenant: undefined,
      kept: false,
    },
  ]);
  await first.stop({ deadline: 0 });
});

trial("two services on one database send their own rows only", async (t) => {
  const database = memoryDatabase();
  const seen: string[] = [];
  for (const name of ["one", "two"]) {
    const transport = failing(t, ({ to }) => {
      if (to === "topic:deliverer.done") seen.push(name);
      return undefined;
    });
    const bus = t.bus({ name, transport, store: memoryStore({ database }) });
    bus.endpoint(`work-${name}`, { outbox: true, subscribe: false }).handle(
      Work,
      (_, ctx) => ctx.publish(Done, { by: name }),
    );
    await bus.start();
    await bus.send(Work, { id: "1" }, { to: `queue:work-${name}`, messageId: "same" });
    await t.settled();
  }
  await t.pass(120_000);
  assertEquals(seen, ["one", "two"]);
});

trial("two processes of one service send each row once", async (t) => {
  const database = memoryDatabase();
  const done: string[] = [];
  const buses = [0, 1].map(() => {
    const bus = t.bus({ store: memoryStore({ database }) });
    bus.endpoint("work", { outbox: true }).handle(Work, ({ id }, ctx) => ctx.publish(Done, { by: id }));
    return bus;
  });
  buses[0]?.endpoint("done").handle(Done, ({ by }) => void done.push(by));
  for (const bus of buses) await bus.start();
  for (let id = 0; id < 100; id++) await buses[0]?.send(Work, { id: String(id) });
  await t.pass(120_000);
  assertEquals(done.length, 100);
  assertEquals(new Set(done).size, 100);
});

trial("what could not be sent while its lease lasted is left to whoever has it by then", async (t) => {
  const database = memoryDatabase();
  const stores = [new ScriptedStore(database), new ScriptedStore(database)];
  const seen: string[][] = [[], []];
  const buses = stores.map((store, at) => {
    const transport = memory({ broker: t.broker });
    transport.send = (batch) => {
      for (const outgoing of batch) {
        seen[at]?.push(outgoing.messageId);
        // The broker of the first process is so slow that its leases end meanwhile.
        t.clock.at(t.clock.now() + (at === 0 ? 40_000 : 0), () => outgoing.settled());
      }
    };
    return t.bus({ transport, store });
  });
  for (const bus of buses) await bus.start();
  await t.settled();
  stores[0]!.script = (call) => call === "claim" ? new Promise<void>(() => {}) : undefined;
  await buses[0]?.transaction(async (_, sender) => {
    for (const id of ["1", "2"]) await sender.publish(Step, { at: 0, of: "k" }, { messageId: id });
  });
  await t.pass(60_000);
  assertEquals(seen, [["1"], ["1", "2"]]);
  await buses[0]?.stop({ deadline: 0 });
});

trial("what a transport that closes gives back waits for no backoff: whoever is there sends it", async (t) => {
  let closing = true;
  const given = ({ to }: Outgoing): Error | undefined => {
    if (to !== "topic:deliverer.done" || !closing) return undefined;
    closing = false;
    return new ClosedError("the connection");
  };
  const bus = t.bus({ store: memoryStore(), transport: failing(t, given) });
  const done: string[] = [];
  bus.endpoint("work", { outbox: true }).handle(Work, (_, ctx) => ctx.publish(Done, { by: "1" }));
  bus.endpoint("done").handle(Done, ({ by }) => void done.push(by));
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.settled();
  assertEquals([closing, done], [false, ["1"]]);
});

trial("a key goes on while the store still takes note of what has none", async (t) => {
  const store = new ScriptedStore();
  const slow = Promise.withResolvers<void>();
  const bus = t.bus({ store });
  bus.endpoint("free", { outbox: true }).handle(Work, ({ id }, ctx) => ctx.publish(Done, { by: id }));
  bus.endpoint("keyed", { outbox: true }).handle(Base, (_, ctx) => ctx.publish(Step, { at: 1, of: "a" }));
  await bus.start();
  store.script = (call, time) => call === "done" && time === 1 ? slow.promise : undefined;
  await bus.send(Work, { id: "1" });
  await t.settled();
  assertEquals([store.count("done"), (await store.outbox.stats("app")).waiting], [2, 1]);
  slow.resolve();
  await t.settled();
  assertEquals((await store.outbox.stats("app")).waiting, 0);
});
