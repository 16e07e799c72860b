/** Whoever asked a saga that has to ask others first: it is answered by the unit that knows. */
import { assertEquals, assertRejects } from "@std/assert";
import { RequestTimeoutError, saga, type } from "../../../mod.ts";
import { memoryStore } from "../../../stores/memory/mod.ts";
import { Journal, Latch, trial } from "../../support/trial.ts";
import { GetPrice, Quote, Quotes, started } from "./quotes.ts";

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
