/** Durable requests: the answer comes as a message, to whoever waits for it, whoever answers. */
import { assertEquals } from "@std/assert";
import { event, query, saga, type } from "../../../mod.ts";
import { memoryDatabase, memoryStore } from "../../../stores/memory/mod.ts";
import type { Bus } from "../../../src/bus/bus.ts";
import { Journal, Latch, type Trial, trial } from "../../support/trial.ts";
import { GetDiscount, GetPrice, Quote } from "./quotes.ts";

const Asked = event<{ id: string }>("homes.asked");
const Told = event<{ id: string; what: string }>("homes.told");
const Found = event<{ zip: string }>("homes.found");
const Missing = event<{ why: string }>("homes.missing");
const Check = query<{ id: string }, { ok: boolean }>("homes.check");
const Find = query("homes.find", { schema: type<{ id: string }>(), replies: { found: Found, missing: Missing } });

const CheckSaga = saga("check", {
  data: type<object>(),
  states: ["checking", "done"],
  events: (on) => ({ asked: on.start(Asked, (m) => m.id, () => ({})) }),
}, ({ initially, when }) => [
  initially(
    when("asked").request(Check, (ctx) => ({ id: ctx.id }), {
      timeout: "30s",
      pending: "checking",
      completed: (then) => then.publish(Told, (ctx) => ({ id: ctx.id, what: `ok ${ctx.message.ok}` })).finalize(),
      faulted: (then) =>
        then.publish(Told, (ctx) => ({ id: ctx.id, what: `fault ${ctx.message.error.message}` })).finalize(),
      timedOut: (then) => then.publish(Told, (ctx) => ({ id: ctx.id, what: "timed out" })).finalize(),
    }),
  ),
]);
const FindSaga = saga("find", {
  data: type<object>(),
  states: ["finding"],
  events: (on) => ({ asked: on.start(Asked, (m) => m.id, () => ({})) }),
}, ({ initially, when }) => [
  initially(
    when("asked").request(Find, (ctx) => ({ id: ctx.id }), {
      timeout: "30s",
      pending: "finding",
      completed: (then) =>
        then.publish(Told, (ctx) => ({
          id: ctx.id,
          what: ctx.message.kind === "found" ? ctx.message.message.zip : ctx.message.message.why,
        })).finalize(),
      faulted: (then) => then.finalize(),
      timedOut: (then) => then.finalize(),
    }),
  ),
]);

async function started(t: Trial, configure: (bus: Bus) => void): Promise<{
  readonly bus: Bus;
  readonly told: string[];
  readonly journal: Journal;
  readonly database: ReturnType<typeof memoryDatabase>;
}> {
  const database = memoryDatabase();
  const bus = t.bus({ store: memoryStore({ database }) });
  const told: string[] = [];
  const journal = new Journal();
  bus.endpoint("told").handle(Told, ({ id, what }) => void told.push(`${id} ${what}`));
  configure(bus);
  bus.observe(journal);
  await bus.start();
  return { bus, told, journal, database };
}

trial("a reply comes to the instance that asked, and takes the request's timeout back", async (t) => {
  const { bus, told, database } = await started(t, (bus) => {
    bus.add(CheckSaga);
    bus.endpoint("homes").handle(Check, ({ id }) => ({ ok: id !== "2" }));
  });
  for (const id of ["1", "2", "3"]) await bus.publish(Asked, { id });
  await t.settled();
  assertEquals(told.sort(), ["1 ok true", "2 ok false", "3 ok true"]);
  assertEquals([database.counts.sagas, database.counts.schedules], [0, 0]);
});

trial("a request that fails, or that nobody answers in time, takes the way that is written for it", async (t) => {
  const { bus, told, journal } = await started(t, (bus) => {
    bus.add(CheckSaga);
    bus.endpoint("homes").handle(Check, async ({ id }, ctx) => {
      if (id === "1") throw new Error("no such street");
      await ctx.defer("40s");
      return { ok: true };
    });
  });
  await bus.publish(Asked, { id: "1" });
  await bus.publish(Asked, { id: "2" });
  await t.settled();
  assertEquals(told, ["1 fault no such street"]);
  assertEquals((await bus.sagas(CheckSaga).get("2"))?.requests.length, 1);
  await t.pass(29_999);
  assertEquals(told.length, 1);
  await t.pass(1);
  assertEquals(told, ["1 fault no such street", "2 timed out"]);
  await t.pass(60_000);
  assertEquals(told.length, 2);
  assertEquals(journal.of("faulted"), ["faulted homes.check 1 no such street error"]);
});

trial("one of several replies comes as that, with its kind; the same event from a topic is none of it", async (t) => {
  const { bus, told, journal } = await started(t, (bus) => {
    bus.add(FindSaga);
    bus.endpoint("homes").handle(
      Find,
      ({ id }) => id === "1" ? { kind: "found", message: { zip: "8001" } } : { kind: "missing", message: { why: id } },
    );
  });
  await bus.publish(Asked, { id: "1" });
  await bus.publish(Asked, { id: "2" });
  await t.settled();
  assertEquals(told.sort(), ["1 8001", "2 2"]);
  await bus.publish(Found, { zip: "9000" });
  await t.settled();
  assertEquals(journal.of("received homes.found").length, 1);
});

trial("a service of others that knows no more than the request's id is an answer, once", async (t) => {
  const { bus, told, journal } = await started(t, (bus) => {
    bus.add(CheckSaga);
    // Somebody has to be bound, so that the request is not unroutable: it never answers itself.
    bus.endpoint("homes").handle(Check, async (_, ctx) => {
      await ctx.forward("queue:elsewhere");
      return { ok: false };
    });
    bus.endpoint("elsewhere", { subscribe: false }).handle(Told, () => {});
  });
  await bus.publish(Asked, { id: "1" });
  await t.settled();
  const [requestId] = (await bus.sagas(CheckSaga).get("1"))?.requests ?? [];
  const answer = {
    body: `{"ok":true}`,
    headers: {
      "hero-id": "foreign-1",
      "hero-type": "reply:homes.check",
      "hero-meta": JSON.stringify({ q: requestId }),
    },
  };
  await t.put("queue:check", answer);
  await t.settled();
  assertEquals(told, ["1 ok true"]);
  await t.put("queue:check", { ...answer, headers: { ...answer.headers, "hero-id": "foreign-2" } });
  await t.settled();
  assertEquals(told.length, 1);
  assertEquals(journal.of("unhandled reply"), ["unhandled reply:homes.check stale"]);
});

trial("two sagas on one endpoint get the answers to their own requests", async (t) => {
  const { bus, told } = await started(t, (bus) => {
    bus.endpoint("both").add(CheckSaga).add(FindSaga);
    bus.endpoint("homes")
      .handle(Check, () => ({ ok: true }))
      .handle(Find, () => ({ kind: "found", message: { zip: "8001" } }));
  });
  await bus.publish(Asked, { id: "1" });
  await t.settled();
  assertEquals(told.sort(), ["1 8001", "1 ok true"]);
});

trial("an answer to a request whose step is gone is not dropped: it waits until the saga has it again", async (t) => {
  const database = memoryDatabase();
  const latch = new Latch();
  const made = (state: "asking" | "waiting") =>
    saga("moved", {
      data: type<{ price?: number }>(),
      states: ["asking", "waiting", "known"],
      events: (on) => ({
        asked: on.start(Quote, (m) => m.id, () => ({})),
        again: on(GetDiscount, (m) => m.id),
      }),
    }, ({ initially, during, when, sequence }) => {
      const ask = sequence((s) =>
        s.request(GetPrice, (ctx) => ({ id: ctx.id }), {
          timeout: "30s",
          completed: (then) => then.then((ctx) => void (ctx.saga.price = ctx.message.price)).transitionTo("known"),
          faulted: (then) => then.finalize(),
          timedOut: (then) => then.finalize(),
        })
      );
      return state === "asking"
        ? [initially(when("asked").run(ask).transitionTo("asking"))]
        : [initially(when("asked").transitionTo("waiting")), during("waiting", when("again").run(ask))];
    });
  const others = t.bus({ name: "others" });
  others.endpoint("prices").handle(GetPrice, async () => {
    await latch.pass();
    return { price: 7 };
  });
  await others.start();
  const start = async (state: "asking" | "waiting") => {
    const Moved = made(state);
    const bus = t.bus({ name: "pricing", store: memoryStore({ database }) });
    bus.add(Moved);
    await bus.start();
    return { bus, moved: bus.sagas(Moved) };
  };
  const before = await start("asking");
  const asked = before.bus.request(Quote, { id: "1" }).catch(() => {});
  await t.until("the price is asked for", () => latch.arrived === 1);
  await t.settled();
  await before.bus.stop();
  await asked;
  const changed = await start("waiting");
  latch.open();
  await t.settled();
  const failed: string[] = [];
  for await (const { reason, exceptions } of changed.bus.errors("moved").list()) {
    failed.push(`${reason} ${exceptions[0]?.type}`);
  }
  assertEquals(failed, ["fault UnreadableSagaError"]);
  await changed.bus.stop();
  const mended = await start("asking");
  assertEquals(await mended.moved.redeliver("1"), 1);
  await t.settled();
  assertEquals((await mended.moved.get("1"))?.data, { price: 7 });
});
