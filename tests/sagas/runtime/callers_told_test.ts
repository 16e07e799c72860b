/** Whoever asked a saga that has to ask others first, and gets no answer: it is told at once. */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { event, RequestFaultError, saga, type } from "../../../mod.ts";
import { memoryStore } from "../../../stores/memory/mod.ts";
import { Journal, Latch, trial } from "../../support/trial.ts";
import { GetPrice, Quote, Quotes, started } from "./quotes.ts";

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
