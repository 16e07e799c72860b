/** Whoever asked a saga that has to ask others first: it is answered, or told, by the unit that knows. */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { command, event, query, RequestFaultError, RequestTimeoutError, retry, saga, type } from "../../../mod.ts";
import type { Bus } from "../../../src/bus/bus.ts";
import { memoryDatabase, memoryStore } from "../../../stores/memory/mod.ts";
import { Journal, Latch, type Trial, trial } from "../../support/trial.ts";

const Quote = command<{ id: string }, { price: number; from: string }>("quotes.make");
const GetPrice = query<{ id: string }, { price: number }>("prices.get");
const GetDiscount = query<{ id: string }, { percent: number }>("discounts.get");

const Quotes = saga("quotes", {
  data: type<{ price: number }>(),
  states: ["asking", "discounting", "known"],
  events: (on) => ({ asked: on.start(Quote, (m) => m.id, () => ({ price: 0 })) }),
}, ({ initially, during, when, sequence }) => {
  const tell = sequence("asked", (s) => s.respond((ctx) => ({ price: ctx.saga.price, from: `known ${ctx.id}` })));
  return [
    initially(
      when("asked").request(GetPrice, (ctx) => ({ id: ctx.id }), {
        timeout: "30s",
        pending: "asking",
        completed: (then) =>
          then
            .then((ctx) => {
              if (ctx.message.price < 0) throw new RangeError(`a price of ${ctx.message.price}`);
              ctx.saga.price = ctx.message.price;
            })
            .ifElse(
              (ctx) => ctx.message.price < 100,
              (small) => small.respond((ctx) => ({ price: ctx.saga.price, from: "the price" })).transitionTo("known"),
              (large) =>
                large.request(GetDiscount, (ctx) => ({ id: ctx.id }), {
                  timeout: "5s",
                  pending: "discounting",
                  completed: (then) =>
                    then.respond((ctx) => ({ price: ctx.saga.price - ctx.message.percent, from: "the discount" }))
                      .finalize(),
                  faulted: (then) => then.finalize(),
                  timedOut: (then) =>
                    then.respond((ctx) => ({ price: ctx.saga.price, from: "no discount" })).finalize(),
                }),
            ),
        faulted: (then) =>
          then.then((ctx) => {
            throw new RangeError(`no price: ${ctx.message.error.message}`);
          }),
        timedOut: (then) => then.respond(() => ({ price: 0, from: "nobody" })).finalize(),
      }),
    ),
    during("known", when("asked").run(tell)),
  ];
});

interface Started {
  /** Of another service: who asks. */
  readonly shop: Bus;
  readonly journal: Journal;
  /** One more process with the saga, instead of those before. */
  restart(): Promise<Bus>;
}

async function started(t: Trial, price: (id: string) => Promise<number> | number): Promise<Started> {
  const database = memoryDatabase();
  const journal = new Journal();
  let bus: Bus | undefined;
  const restart = async (): Promise<Bus> => {
    await bus?.stop();
    bus = t.bus({ name: "pricing", store: memoryStore({ database }) });
    bus.add(Quotes, { retry: retry.immediate(1) });
    bus.observe(journal);
    await bus.start();
    return bus;
  };
  const others = t.bus({ name: "others" });
  others.endpoint("prices").handle(GetPrice, async ({ id }) => ({ price: await price(id) }));
  others.endpoint("discounts").handle(GetDiscount, async ({ id }, ctx) => {
    if (id === "slow") await ctx.defer("1m");
    if (id === "none") throw new Error("no discount");
    return { percent: 10 };
  });
  await others.start();
  await restart();
  const shop = t.bus({ name: "shop" });
  await shop.start();
  return { shop, journal, restart };
}

trial("whoever asked is answered by the branch of a request, in whatever process it runs", async (t) => {
  const latch = new Latch();
  const { shop, restart, journal } = await started(t, async () => {
    await latch.pass();
    return 50;
  });
  const answers: unknown[] = [];
  const asked = shop.request(Quote, { id: "1" }, { timeout: "1m" }).then((answer) => answers.push(answer));
  await t.until("the price is asked for", () => latch.arrived === 1);
  await t.settled();
  assertEquals([answers, journal.of("respond")], [[], []]);
  await restart();
  latch.open();
  await asked;
  assertEquals(answers, [{ price: 50, from: "the price" }]);
  // From here on the rule of the message answers at once.
  assertEquals(await shop.request(Quote, { id: "1" }), { price: 50, from: "known 1" });
  await t.settled();
  assertEquals(journal.of("respond").length, 2);
});

trial(
  "whoever asked is answered by the branch of a request that such a branch makes, also by its timeout",
  async (t) => {
    const { shop, restart } = await started(t, () => 200);
    assertEquals(await shop.request(Quote, { id: "1" }), { price: 190, from: "the discount" });
    const asked = shop.request(Quote, { id: "slow" });
    await t.settled();
    const pricing = await restart();
    await t.pass(5_000);
    assertEquals(await asked, { price: 200, from: "no discount" });
    await t.settled();
    assertEquals(await pricing.sagas(Quotes).count(), 0);
  },
);

trial("whoever asked is told when the branch that would have answered is given up", async (t) => {
  const { shop, restart, journal } = await started(t, (id) => {
    if (id === "1") throw new Error("no such thing");
    return -1;
  });
  const pricing = await restart();
  const refused = await assertRejects(() => shop.request(Quote, { id: "1" }), RequestFaultError);
  assertEquals(refused.exceptions[0]?.message, "no price: no such thing");
  const wrong = await assertRejects(() => shop.request(Quote, { id: "2" }), RequestFaultError);
  assertEquals(wrong.exceptions[0]?.message, "a price of -1");
  await t.settled();
  // The answers wait for an operator, and the instances for them; each was tried as the endpoint says.
  assertEquals((await pricing.counts("quotes")).failed, 2);
  assertEquals(journal.of("retried").length, 2);
  assertEquals((await pricing.sagas(Quotes).get("2"))?.requests.length, 1);
});

trial("whoever has given up is not answered", async (t) => {
  const latch = new Latch();
  const { shop, journal } = await started(t, async () => {
    await latch.pass();
    return 50;
  });
  const asked = assertRejects(() => shop.request(Quote, { id: "1" }, { timeout: "3s" }), RequestTimeoutError);
  await t.until("the price is asked for", () => latch.arrived === 1);
  await t.pass(3_000);
  await asked;
  latch.open();
  await t.settled();
  assertEquals(journal.of("respond"), []);
  assertEquals(await shop.request(Quote, { id: "1" }), { price: 50, from: "known 1" });
});

trial("who is answered at once is not answered again", async (t) => {
  const Both = saga("both", {
    data: type<object>(),
    states: ["asking"],
    events: (on) => ({ asked: on.start(Quote, (m) => m.id, () => ({})) }),
  }, ({ initially, when }) => [
    initially(
      when("asked").respond(() => ({ price: 0, from: "at once" })).request(GetPrice, (ctx) => ({ id: ctx.id }), {
        timeout: "30s",
        pending: "asking",
        completed: (then) => then.respond(() => ({ price: 1, from: "later" })).finalize(),
        faulted: (then) => then.finalize(),
        timedOut: (then) => then.finalize(),
      }),
    ),
  ]);
  const journal = new Journal();
  const bus = t.bus({ store: memoryStore() });
  bus.add(Both);
  bus.endpoint("prices").handle(GetPrice, () => ({ price: 1 }));
  bus.observe(journal);
  await bus.start();
  assertEquals(await bus.request(Quote, { id: "1" }), { price: 0, from: "at once" });
  await t.settled();
  assertEquals(await bus.sagas(Both).count(), 0);
  // One is that of the price.
  assertEquals(journal.of("respond").toSorted(), ["respond prices.get", "respond quotes.make"]);
});

trial("whoever asked is told when the instance goes on, or ends, without what it had asked for", async (t) => {
  const Withdrawn = event<{ id: string; ends: boolean }>("quotes.withdrawn");
  const Left = saga("left", {
    data: type<object>(),
    states: ["asking", "withdrawn"],
    events: (on) => ({ asked: on.start(Quote, (m) => m.id, () => ({})), withdrawn: on(Withdrawn, (m) => m.id) }),
  }, ({ initially, during, when }) => [
    initially(
      when("asked").request(GetPrice, (ctx) => ({ id: ctx.id }), {
        timeout: "30s",
        pending: "asking",
        completed: (then) => then.respond((ctx) => ({ price: ctx.message.price, from: "the price" })).finalize(),
        faulted: (then) => then.finalize(),
        timedOut: (then) => then.finalize(),
      }),
    ),
    during(
      "asking",
      when("withdrawn").ifElse(
        (ctx) => ctx.message.ends,
        (ends) => ends.finalize(),
        (waits) => waits.transitionTo("withdrawn"),
      ),
    ),
  ]);
  const latch = new Latch();
  const bus = t.bus({ store: memoryStore() });
  const journal = new Journal();
  bus.add(Left);
  bus.endpoint("prices").handle(GetPrice, async () => {
    await latch.pass();
    return { price: 1 };
  });
  bus.observe(journal);
  await bus.start();
  for (const [at, ends] of [false, true].entries()) {
    const id = String(at);
    const asked = assertRejects(() => bus.request(Quote, { id }), RequestFaultError);
    await t.until("the price is asked for", () => latch.arrived === at + 1);
    await bus.publish(Withdrawn, { id, ends });
    const { exceptions: [first] } = await asked;
    assertEquals(first?.type, "SagaRequestAbandonedError");
    assertStringIncludes(
      first?.message ?? "",
      `"left" does not answer "asked": its instance "${id}" went on to "${ends ? "final" : "withdrawn"}"`,
    );
  }
  latch.open();
  await t.settled();
  assertEquals(journal.of("respond").toSorted(), ["respond prices.get", "respond prices.get"]);
  assertEquals((await bus.counts("left")).failed, 0);
});

trial("whoever asked is told at once when the branch has no answer", async (t) => {
  const { shop, restart, journal } = await started(t, () => 200);
  const pricing = await restart();
  const { exceptions: [first] } = await assertRejects(() => shop.request(Quote, { id: "none" }), RequestFaultError);
  assertEquals(first?.type, "SagaRequestAbandonedError");
  assertStringIncludes(first?.message ?? "", `its instance "none" went on to "final" without an answer to it`);
  await t.settled();
  assertEquals([journal.of("respond"), await pricing.sagas(Quotes).count()], [[], 0]);
});

trial("whoever asked is told when an operator ends the instance", async (t) => {
  const latch = new Latch();
  const { shop, restart, journal } = await started(t, async () => {
    await latch.pass();
    return 50;
  });
  const pricing = await restart();
  const asked = assertRejects(() => shop.request(Quote, { id: "1" }, { timeout: "1m" }), RequestFaultError);
  await t.until("the price is asked for", () => latch.arrived === 1);
  const quotes = pricing.sagas(Quotes);
  await quotes.set("1", { data: { price: 7 } }, { reason: "known by telephone" });
  assertEquals((await quotes.get("1"))?.requests.length, 1);
  await quotes.set("1", { state: "final" }, { reason: "withdrawn by telephone" });
  const { exceptions: [first] } = await asked;
  assertEquals(first?.type, "SagaRequestAbandonedError");
  assertStringIncludes(first?.message ?? "", `"quotes" does not answer "asked": its instance "1" went on to "final"`);
  latch.open();
  await t.settled();
  assertEquals(journal.of("respond"), []);
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
