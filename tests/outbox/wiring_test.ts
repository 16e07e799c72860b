import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  command,
  type ConsumeContext,
  consumer,
  event,
  NoTransactionError,
  TopologyError,
  TransactionEndedError,
} from "../../mod.ts";
import type { FrameTransform } from "../../src/spi/frame_transform.ts";
import type { Outgoing } from "../../src/spi/transport.ts";
import { createTestHarness } from "../../src/testing/mod.ts";
import { memoryDatabase, memoryStore } from "../../stores/memory/mod.ts";
import { memory, memoryBroker } from "../../transports/memory/mod.ts";
import { ScriptedStore } from "../support/fakes/scripted_store.ts";
import { test } from "../support/runner.ts";
import { trial } from "../support/trial.ts";

const Work = command<{ id: string }>("wiring.work");
const Base = event<{ by: string }>("wiring.base");
const Done = event<{ by: string }>("wiring.done", { extends: Base });

trial("a bus opens its store only if it was given one, or an endpoint asks for it", async (t) => {
  const names = (bus: { health(): { parts: readonly { name: string }[] } }) =>
    bus.health().parts.map(({ name }) => name);
  const plain = t.bus({ name: "plain" });
  plain.endpoint("plain", { outbox: "memory" }).handle(Work, () => {});
  await plain.start();
  assertEquals(names(plain), ["transport memory", "plain"]);
  const asked = t.bus({ name: "asked" });
  asked.endpoint("asked", { outbox: true, subscribe: false }).handle(Work, () => {});
  await asked.start();
  assertEquals(names(asked), ["transport memory", "store memory", "outbox", "schedules", "asked"]);
  assertEquals(asked.describe().endpoints[0]?.stages.includes("inbox and outbox"), true);
  const given = t.bus({ name: "given", store: new ScriptedStore() });
  await given.start();
  assertEquals(names(given), ["transport memory", "store scripted", "outbox", "schedules"]);
  assertEquals(given.describe().store, "scripted");
});

trial("a start fails with the store that cannot be opened, or lacks what it must have", async (t) => {
  const store = new ScriptedStore();
  store.open = () => Promise.reject(new Error("connection refused"));
  const bus = t.bus({ store });
  await assertRejects(() => bus.start(), Error, "connection refused");
  const bare = () => {
    const store = new ScriptedStore();
    store.deploy = (mode) =>
      Promise.resolve(mode === "apply" ? [] : [{ kind: "create", entity: "migration:0001", detail: "missing" }]);
    return store;
  };
  const checked = t.bus({ store: bare(), deploy: "check" });
  await assertRejects(() => checked.start(), TopologyError, "migration:0001");
  const planned = t.bus({ store: bare() });
  assert((await planned.deploy("plan")).some(({ entity }) => entity === "migration:0001"));
});

trial(
  "a start makes or checks the tables, once, also of a store that was open already: planned for, or looked at",
  async (t) => {
    for (const deploy of ["apply", "check"] as const) {
      const asked: string[] = [];
      const store = new ScriptedStore();
      store.deploy = (mode) => {
        asked.push(mode);
        return Promise.resolve([]);
      };
      const bus = t.bus({ name: deploy, store, deploy });
      await bus.deploy("plan");
      assertEquals(await Array.fromAsync(bus.parked().list()), []);
      await bus.start();
      const more = deploy === "apply" ? [consumer(Work, () => {}), consumer(Done, () => {})] : [];
      await Promise.all(more.map((each) => bus.connect(each)));
      assertEquals(asked, ["plan", deploy]);
    }
  },
);

trial("ctx.tx and store.tx are the unit's transaction until it has ended, and say so afterwards", async (t) => {
  const store = memoryStore();
  const other = memoryStore();
  const bus = t.bus({ store });
  let kept: ConsumeContext | undefined;
  bus.endpoint("work", { outbox: true }).handle(Work, (_, ctx) => {
    kept = ctx;
    assertEquals([ctx.tx, store.tx(ctx)], [undefined, undefined]);
    assertThrows(() => other.tx(ctx), NoTransactionError);
  });
  bus.endpoint("plain").handle(Done, (_, ctx) => void assertThrows(() => store.tx(ctx), NoTransactionError));
  await bus.start();
  await bus.send(Work, { id: "1" });
  await bus.publish(Done, { by: "1" });
  await t.settled();
  assertEquals([bus.statistics("work").consumed, bus.statistics("plain").consumed], [1, 1]);
  const late = kept;
  assert(late !== undefined);
  assertThrows(() => late.tx, TransactionEndedError);
  assertThrows(() => store.tx(late), TransactionEndedError);
  await assertRejects(() => late.publish(Done, { by: "late" }), TransactionEndedError);
  await assertRejects(() => late.schedule(Done, { by: "late" }, { in: 1 }), TransactionEndedError);
});

trial("ctx.tx says why there is no transaction, and what to set", async (t) => {
  const store = memoryStore();
  const bus = t.bus({ store });
  const set = "Set { outbox: true } on the endpoint";
  const why = `There is no transaction here: "plain" does not handle "wiring.work" in a unit of work. ${set}`;
  const says: string[] = [];
  const refused = (read: () => unknown) => void says.push(assertThrows(read, NoTransactionError).message);
  bus.endpoint("plain").handle(Work, (_, ctx) => refused(() => ctx.tx));
  bus.endpoint("held", { outbox: "memory" }).handle(Done, (_, ctx) => refused(() => ctx.tx));
  bus.endpoint("batched").batch(Base, { size: 1 }, ([item], ctx) => {
    refused(() => ctx.tx);
    refused(() => item?.tx);
  });
  bus.endpoint("stored", { outbox: true, subscribe: false }).batch(Work, { size: 1 }, (_, ctx) => void ctx.tx);
  await bus.start();
  await bus.send(Work, { id: "1" }, { to: "queue:plain" });
  await bus.send(Work, { id: "2" }, { to: "queue:stored" });
  await t.settled();
  assertEquals([says, bus.statistics("stored").consumed], [[why], 1]);
  await bus.publish(Base, { by: "1" });
  await t.settled();
  const batched =
    `"batched" does not handle "wiring.base" in a unit of work. ${set}, and use it in the handler of the batch`;
  assertEquals(says.slice(1), [batched, batched].map((each) => `There is no transaction here: ${each}`));
  await bus.publish(Done, { by: "1" });
  await t.settled();
  assertEquals(says[3]?.includes(`"held" does not handle "wiring.done"`), true);
  for (const nothing of [undefined, null, "ctx"]) {
    const tx = () => store.tx(nothing as never); // as JavaScript may
    assertThrows(tx, NoTransactionError, "is no context. Give the ctx that the handler got");
  }
});

trial("rows hold bytes where the transport moves references, and what it gets is read all the same", async (t) => {
  const broker = memoryBroker({ byReference: true });
  const database = memoryDatabase();
  const store = new ScriptedStore(database);
  const bus = t.bus({ transport: memory({ broker }), store });
  const done: string[] = [];
  bus.endpoint("work", { outbox: true }).handle(Work, async ({ id }, ctx) => {
    await ctx.publish(Done, { by: id });
    if (ctx.headers["put"] === undefined && store.scopes.length === 1) await ctx.defer("1s");
  });
  bus.endpoint("done").handle(Done, ({ by }) => void done.push(by));
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.pass(1000);
  assertEquals(done, ["1", "1"]);
});

trial("what encrypts and such is done before the commit, to messages and schedules, once", async (t) => {
  const flip: FrameTransform = {
    name: "flip",
    apply: (frame) => Promise.resolve({ ...frame, body: frame.body.map((byte) => byte ^ 1) }),
    restore: (frame) => Promise.resolve({ ...frame, body: frame.body.map((byte) => byte ^ 1) }),
  };
  const database = memoryDatabase();
  const rows: Uint8Array[] = [];
  const store = new ScriptedStore(database);
  const begin = store.begin.bind(store);
  store.begin = async (scope) => {
    const unit = await begin(scope);
    return Object.create(unit, {
      commit: {
        value: (changes: Parameters<typeof unit.commit>[0]) => {
          for (const { frame } of changes.outbox) rows.push(frame.body);
          for (const change of changes.schedules) if ("put" in change) rows.push(change.put.frame.body);
          return unit.commit(changes);
        },
      },
    });
  };
  const bus = t.bus({ store, transforms: [flip] });
  const done: string[] = [];
  bus.endpoint("work", { outbox: true }).handle(Work, async (_, ctx) => {
    await ctx.publish(Done, { by: "sent" });
    await ctx.schedule(Done, { by: "scheduled" }, { in: "1m" });
  });
  bus.endpoint("done").handle(Done, ({ by }) => void done.push(by));
  await bus.start();
  await bus.send(Work, { id: "1" });
  await bus.schedule(Done, { by: "outside" }, { in: "2m" });
  await t.pass(120_000);
  assertEquals(done, ["sent", "scheduled", "outside"]);
  assertEquals(rows.length, 3);
  assert(rows.every((body) => !new TextDecoder().decode(body).includes("by")));
});

trial("where the broker has no hierarchy, a row goes to the topics of its bases as well", async (t) => {
  const seen: (readonly string[])[] = [];
  const transport = memory({ broker: t.broker });
  Object.defineProperty(transport, "capabilities", { value: { ...transport.capabilities, hierarchy: false } });
  const send = transport.send.bind(transport);
  transport.send = (batch: readonly Outgoing[]) => {
    for (const { to, alsoTo } of batch) if (to === "topic:wiring.done") seen.push(alsoTo);
    return send(batch);
  };
  const bus = t.bus({ transport });
  bus.endpoint("work", { outbox: true }).handle(Work, async (_, ctx) => {
    await ctx.publish(Done, { by: "now" });
    await ctx.schedule(Done, { by: "later" }, { in: "1m" });
  });
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.pass(60_000);
  assertEquals(seen, [["topic:wiring.base"], ["topic:wiring.base"]]);
});

test("a test harness settles what goes through the outbox, and its time brings what is scheduled", async () => {
  const harness = await createTestHarness({
    configure: (bus) => {
      bus.endpoint("work", { outbox: true }).handle(Work, async ({ id }, ctx) => {
        await ctx.publish(Done, { by: id });
        await ctx.schedule(Done, { by: "later" }, { in: "1h" });
      });
      bus.endpoint("done").handle(Done, () => {});
    },
  });
  const done = () => harness.consumed(Done).all().map(({ message: { by } }) => by);
  try {
    await harness.send(Work, { id: "1" });
    await harness.settled();
    assertEquals(done(), ["1"]);
    await harness.advance("1h");
    assertEquals(done(), ["1", "later"]);
  } finally {
    await harness[Symbol.asyncDispose]();
  }
});
