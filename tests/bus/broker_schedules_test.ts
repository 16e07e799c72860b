import { assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { createBus } from "../../src/bus/create_bus.ts";
import { command } from "../../src/contracts/command.ts";
import { event } from "../../src/contracts/event.ts";
import { query } from "../../src/contracts/query.ts";
import {
  ConfigurationError,
  InvalidDurationError,
  InvalidInstantError,
  UnsupportedError,
} from "../../src/errors/configuration.ts";
import { NotCancellableError } from "../../src/errors/sending.ts";
import type { When } from "../../src/pipeline/sending.ts";
import { ScriptedTransport } from "../support/fakes/scripted_transport.ts";
import { type Trial, trial } from "../support/trial.ts";

interface Order {
  readonly orderId: string;
}
const Submit = command<Order>("orders.submit");
const Happened = event<Order>("orders.happened");
const Get = query<Order, { ok: boolean }>("orders.get");

/** A started bus, and when what was handled. */
async function handling(trial: Trial) {
  const start = trial.clock.now();
  const came: [string, number][] = [];
  const bus = trial.bus();
  bus.endpoint("orders")
    .handle(Submit, ({ orderId }) => void came.push([orderId, trial.clock.now() - start]))
    .handle(Happened, ({ orderId }) => void came.push([orderId, trial.clock.now() - start]));
  await bus.start();
  return { bus, came, start };
}

trial("commands are sent, and events published, when they are due", async (trial) => {
  const { bus, came, start } = await handling(trial);
  await bus.schedule(Submit, { orderId: "in" }, { in: "1h" });
  await bus.schedule(Happened, { orderId: "at" }, { at: new Date(start + 1_800_000) });
  await bus.schedule(Submit, { orderId: "temporal" }, { at: { epochMilliseconds: start + 900_000 } });
  await trial.pass(3_599_999);
  assertEquals(came, [["temporal", 900_000], ["at", 1_800_000]]);
  await trial.pass(1);
  assertEquals(came.at(-1), ["in", 3_600_000]);
});

trial("what is due already goes at once: in 0, at a past instant, or now", async (trial) => {
  const { bus, came, start } = await handling(trial);
  await bus.schedule(Submit, { orderId: "0" }, { in: 0 });
  await bus.schedule(Submit, { orderId: "past" }, { at: new Date(0) });
  const token = await bus.schedule(Submit, { orderId: "now" }, { at: new Date(start) });
  await trial.settled();
  assertEquals(came, [["0", 0], ["past", 0], ["now", 0]]);
  await bus.unschedule(token);
});

trial("a schedule that is taken back does not come, whatever chunk of its time has passed", async (trial) => {
  const { bus, came } = await handling(trial);
  const delay = 15_552_000_000; // 180 days
  const tokens = [];
  for (let i = 0; i < 4; i++) tokens.push(await bus.schedule(Submit, { orderId: `${i}` }, { in: delay }));
  assertEquals(new Set(tokens.map(({ id }) => id)).size, 4);
  for (const [i, at] of [[0, 0], [1, 2_147_483_648], [2, delay - 2_147_483_648 - 1]] as const) {
    await trial.pass(at);
    const token = tokens[i];
    if (token !== undefined) await bus.unschedule(JSON.parse(JSON.stringify(token)));
  }
  await trial.pass(delay);
  assertEquals(came, [["3", delay]]);
});

trial("taking back what is out, what was taken back, or what never was, does nothing", async (trial) => {
  const { bus, came } = await handling(trial);
  const token = await bus.schedule(Submit, { orderId: "1" }, { in: "1s" });
  assertNotEquals(token.id, "");
  await trial.pass(1000);
  await bus.unschedule(token);
  await bus.unschedule(token);
  await bus.unschedule({ id: "unknown" });
  assertEquals(came, [["1", 1000]]);
});

trial("another bus on the broker takes it back, too", async (trial) => {
  const { bus, came } = await handling(trial);
  const other = trial.bus({ name: "other" });
  await other.start();
  await other.unschedule(await bus.schedule(Submit, { orderId: "1" }, { in: "1s" }));
  await trial.pass(2000);
  assertEquals(came, []);
});

trial("a handler schedules within its conversation", async (trial) => {
  const conversations: (string | undefined)[] = [];
  const bus = trial.bus();
  bus.endpoint("orders")
    .handle(Submit, async (message, ctx) => {
      conversations.push(ctx.conversationId);
      const token = await ctx.schedule(Happened, { orderId: "kept" }, { in: "1h" });
      assertNotEquals(token.id, "");
      await ctx.unschedule(await ctx.schedule(Happened, message, { in: "1h" }));
    })
    .handle(Happened, ({ orderId }, ctx) => {
      conversations.push(ctx.conversationId, orderId);
    });
  await bus.start();
  await bus.send(Submit, { orderId: "1" });
  await trial.pass(3_600_000);
  assertEquals(conversations, [conversations[0], conversations[0], "kept"]);
});

trial("times that are none are refused, and nothing is kept", async (trial) => {
  const { bus } = await handling(trial);
  const timers = trial.clock.pending;
  for (const wait of [-1, "-1s", NaN, "soon"]) {
    await assertRejects(() => bus.schedule(Submit, { orderId: "1" }, { in: wait as number }), InvalidDurationError);
  }
  for (const at of [new Date(NaN), 5, "2026-01-01", null, undefined, {}]) {
    await assertRejects(() => bus.schedule(Submit, { orderId: "1" }, { at } as When), InvalidInstantError);
  }
  for (const when of [undefined, null, {}, "1h", 5]) {
    await assertRejects(() => bus.schedule(Submit, { orderId: "1" }, when as never), ConfigurationError);
  }
  assertEquals(trial.clock.pending, timers);
});

trial("a query is not scheduled: nobody would get its answer", async (trial) => {
  const { bus } = await handling(trial);
  // @ts-expect-error JavaScript lets it pass
  await assertRejects(() => bus.schedule(Get, { orderId: "1" }, { in: "1h" }), ConfigurationError, "nobody would get");
  await assertRejects(() => bus.schedule({} as never, {} as never, { in: "1h" }), ConfigurationError, "not a contract");
});

trial("an outbox in memory does not hold schedules back, and says so", async (trial) => {
  const bus = trial.bus();
  let error: unknown;
  bus.endpoint("orders", { outbox: "memory" }).handle(Submit, async (message, ctx) => {
    error = await assertRejects(() => ctx.schedule(Happened, message, { in: "1h" }), UnsupportedError, "outbox");
  });
  await bus.start();
  await bus.send(Submit, { orderId: "1" });
  await trial.settled();
  assertEquals((error as UnsupportedError | undefined)?.code, "HERO_UNSUPPORTED");
});

trial("where the broker does not give back what it delays, taking back is refused", async (trial) => {
  const transport = new ScriptedTransport({ send: (batch) => batch.forEach((each) => each.settled(undefined, "r-1")) });
  const bus = createBus({ name: "app", transport, clock: trial.clock });
  await bus.start();
  const token = await bus.schedule(Submit, { orderId: "1" }, { in: 500 });
  assertEquals(token, { id: "r-1" });
  const error = await assertRejects(() => bus.unschedule(token), NotCancellableError);
  assertEquals(error.details, { token: "r-1", transport: "scripted" });
  await assertRejects(() => bus.schedule(Submit, { orderId: "1" }, { in: 1001 }), UnsupportedError, "durable store");
  await bus.stop();
});

trial("a broker that can is asked by its own receipt", async (trial) => {
  const cancelled: string[] = [];
  const transport = new ScriptedTransport({
    send: (batch) => batch.forEach((each) => each.settled(undefined, `r-${each.dueAt}`)),
    cancel: (receipt) => {
      cancelled.push(receipt);
      return Promise.resolve(true);
    },
  }, { delay: { maxMs: 10_000, cancel: true } });
  const bus = createBus({ name: "app", transport, clock: trial.clock });
  await bus.start();
  const token = await bus.schedule(Submit, { orderId: "1" }, { in: 5000 });
  await bus.unschedule(token);
  assertEquals(cancelled, [`r-${trial.clock.now() + 5000}`]);
  await bus.stop();
});
