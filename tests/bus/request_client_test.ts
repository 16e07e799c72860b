import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import type { HeroError } from "../../src/errors/hero_error.ts";
import {
  RequestCycleError,
  RequestFaultError,
  RequestTimeoutError,
  UnroutableError,
} from "../../src/errors/sending.ts";
import { CountedSignal } from "../support/counted_signal.ts";
import { Latch, trial } from "../support/trial.ts";
import { byId, Charge, Find, Get, Submit } from "./request_contracts.ts";

trial("a handler may ask another endpoint, within its conversation", async (trial) => {
  const bus = trial.bus();
  const conversations: (string | undefined)[] = [];
  bus.endpoint("orders", { concurrency: 1 }).handle(Charge, async ({ id }, ctx) => {
    conversations.push(ctx.conversationId);
    const { status } = await ctx.request(Get, { id }, { timeout: "5s" });
    return { receipt: status };
  });
  bus.endpoint("queries").handle(Get, ({ id }, ctx) => {
    conversations.push(ctx.conversationId);
    return { status: `status of ${id}` };
  });
  await bus.start();
  assertEquals(await bus.request(Charge, byId), { receipt: "status of 42" });
  assertEquals(conversations[0], conversations[1]);
});

trial("a request that would wait for its own endpoint's last slot fails fast", async (trial) => {
  const bus = trial.bus();
  bus.endpoint("orders", { concurrency: 1 })
    .handle(Charge, async (_, ctx) => ({ receipt: (await ctx.request(Get, byId)).status }))
    .handle(Get, () => ({ status: "new" }));
  await bus.start();
  const error = await assertRejects(() => bus.request(Charge, byId), RequestFaultError);
  assertEquals(error.exceptions[0]?.type, "RequestCycleError");
  assertStringIncludes(error.message, `"orders"`);
});

trial("an endpoint may ask itself while slots are left, and not with the last", async (trial) => {
  const latch = new Latch();
  const bus = trial.bus();
  const results: unknown[] = [];
  bus.endpoint("orders", { concurrency: 3 })
    .handle(Submit, async (_, ctx) => {
      await latch.pass();
      await ctx.request(Get, byId).then(({ status }) => results.push(status), (error) => results.push(error));
    })
    .handle(Get, () => ({ status: "new" }));
  await bus.start();
  for (let i = 0; i < 3; i++) await bus.send(Submit, byId);
  await trial.until("all slots are taken", () => latch.arrived === 3);
  latch.open();
  await trial.until("all have ended", () => results.length === 3);
  assertInstanceOf(results[0], RequestCycleError);
  assertEquals(results.slice(1), ["new", "new"]);
  // What was counted is given back.
  await bus.send(Submit, byId);
  await trial.until("one more has ended", () => results.length === 4);
  assertEquals(results[3], "new");
});

trial("a handler that is stopped gives up what it asks", async (trial) => {
  const latch = new Latch();
  const owner = trial.bus({ name: "owner" });
  owner.endpoint("queries").handle(Get, async () => {
    await latch.pass();
    return { status: "late" };
  });
  const asker = trial.bus({ name: "asker" });
  let error: unknown;
  asker.endpoint("orders").handle(Submit, async (_, ctx) => {
    await ctx.request(Get, byId).catch((thrown) => {
      error = thrown;
      throw thrown;
    });
  });
  await owner.start();
  await asker.start();
  await asker.send(Submit, byId);
  await trial.until("it is being asked", () => latch.arrived === 1);
  await asker.stop({ deadline: 0 });
  assertEquals((error as HeroError).code, "HERO_STOP_DEADLINE");
  latch.open();
  await trial.settled();
  assertEquals([await trial.count("orders"), await trial.count("orders_error")], [1, 0]);
});

trial("64 at once get each its own answer", async (trial) => {
  const bus = trial.bus();
  bus.endpoint("orders", { concurrency: 7 }).handle(Get, async ({ id }) => {
    for (let i = 0; i < Number(id) % 5; i++) await Promise.resolve();
    return { status: id };
  });
  await bus.start();
  const ids = Array.from({ length: 64 }, (_, i) => String(i));
  const replies = await Promise.all(ids.map((id) => bus.request(Get, { id })));
  assertEquals(replies.map(({ status }) => status), ids);
});

trial("an already aborted signal sends nothing, and its reason comes back", async (trial) => {
  const bus = trial.bus();
  let handled = 0;
  bus.endpoint("orders").handle(Get, () => ({ status: `${++handled}` }));
  await bus.start();
  const reason = { why: "left" };
  const thrown = await bus.request(Get, byId, { signal: AbortSignal.abort(reason) }).catch((error) => error);
  assertEquals(thrown, reason);
  await trial.settled();
  assertEquals(handled, 0);
});

trial("a signal ends the wait with its reason, and the late answer harms nobody", async (trial) => {
  const latch = new Latch();
  const bus = trial.bus();
  bus.endpoint("orders").handle(Get, async () => {
    await latch.pass();
    return { status: "late" };
  });
  await bus.start();
  const abort = new AbortController();
  const asking = bus.request(Get, byId, { signal: abort.signal }).catch((error) => error);
  await trial.until("it is being handled", () => latch.arrived === 1);
  const reason = new RangeError("enough");
  abort.abort(reason);
  assert(await asking === reason);
  latch.open();
  await trial.settled();
  assertEquals(await bus.request(Get, byId), { status: "late" });
});

trial("one signal for 1,000 requests has no listener after each, and aborting it then does nothing", async (trial) => {
  const bus = trial.bus();
  bus.endpoint("orders")
    .handle(Get, ({ id }) => ({ status: id }))
    .handle(Charge, async ({ id }, ctx) => {
      const reply = await ctx.request(Find, { id }, { signal: counted.signal });
      return { receipt: reply.kind };
    });
  bus.endpoint("finding").handle(Find, ({ id }) => ({ kind: "missing", message: { id } }));
  await bus.start();
  const counted = new CountedSignal();
  for (let i = 0; i < 1000; i++) {
    const id = String(i);
    if (i % 10 > 0) assertEquals(await bus.request(Get, { id }, { signal: counted.signal }), { status: id });
    else assertEquals(await bus.request(Charge, { id }, { signal: counted.signal }), { receipt: "missing" });
    assertEquals(counted.listeners, 0);
  }
  assert(counted.most > 0, "the signal was never listened to");
  const failed = await bus.request(Submit, byId, { signal: counted.signal }).catch((error) => error);
  assertInstanceOf(failed, UnroutableError);
  assertEquals(counted.listeners, 0);
  counted.abort(new RangeError("after all"));
  await trial.settled();
});

trial("requests that time out leave no listener and no timer", async (trial) => {
  const bus = trial.bus();
  bus.endpoint("orders").handle(Get, () => ({ status: "new" }));
  await bus.start();
  await bus.request(Get, byId);
  const timers = trial.clock.pending;
  await bus.pause("orders");
  const counted = new CountedSignal();
  const asking = Array.from({ length: 100 }, (_, i) =>
    assertRejects(
      () => bus.request(Get, byId, { timeout: 1000 + i, signal: counted.signal }),
      RequestTimeoutError,
    ));
  await trial.settled();
  assertEquals(counted.listeners, 1);
  await trial.pass(1099);
  await Promise.all(asking);
  assertEquals([counted.listeners, trial.clock.pending], [0, timers]);
});
