/** One message that is two events of a saga, as what it is and as its base: both rules run in one unit. */
import { assertEquals } from "@std/assert";
import { event, query, saga, type } from "../../../mod.ts";
import { memoryStore } from "../../../stores/memory/mod.ts";
import { all, trial } from "../../support/trial.ts";
import { counting } from "../../support/counting_store.ts";

const Begun = event<{ id: string; city: string }>("parts.begun");
const Touched = event<{ id: string; city: string }>("parts.touched");
const Moved = event<{ id: string; city: string }>("parts.moved", { extends: Touched });

for (const concurrency of ["optimistic", "pessimistic"] as const) {
  for (
    const [how, first, second] of [
      ["by id both", "id", "id"],
      ["by id and by index", "id", "index"],
      ["by index and by id", "index", "id"],
      ["by index both", "index", "index"],
    ]
  ) {
    trial(`what the first rule has made of an instance, the second finds: ${how}, ${concurrency}`, async (t) => {
      const Parts = saga("parts", {
        data: type<{ city: string; log: string[] }>(),
        states: ["here"],
        indexes: ["city"],
        concurrency,
        events: (on) => ({
          begun: on.start(Begun, (m) => m.id, (m) => ({ city: m.city, log: [] })),
          touched: first === "id" ? on(Touched, (m) => m.id) : on.where(Touched, (m) => ({ city: m.city })),
          moved: second === "id" ? on(Moved, (m) => m.id) : on.where(Moved, (m) => ({ city: m.city })),
        }),
      }, ({ initially, during, when }) => [
        initially(when("begun").transitionTo("here")),
        during(
          "here",
          when("touched").then((ctx) => void ctx.saga.log.push(`touched ${ctx.saga.log.length}`)),
          when("moved").then((ctx) => void ctx.saga.log.push(`moved ${ctx.saga.log.length}`)),
        ),
      ]);
      const counts = { commits: 0 };
      const bus = t.bus({ store: counting(memoryStore(), counts) });
      bus.add(Parts);
      await bus.start();
      for (const id of ["1", "2"]) await bus.publish(Begun, { id, city: "Ulm" });
      await t.settled();
      counts.commits = 0;
      await bus.publish(Moved, { id: "1", city: "Ulm" });
      await t.settled();
      const found = await bus.sagas(Parts).get("1");
      assertEquals([found?.data.log.length, found?.version, counts.commits], [2, 2, 1]);
      assertEquals(found?.data.log.map((each) => each.slice(-1)), ["0", "1"]);
    });
  }
}

trial("what a reply does as an event of its base, its request's branch finds", async (t) => {
  const Priced = event<{ id: string; city: string }>("parts.priced", { extends: Touched });
  const GetPrice = query("parts.get-price", { schema: type<{ id: string }>(), replies: { priced: Priced } });
  const Asking = saga("asking", {
    data: type<{ log: string[] }>(),
    states: ["here"],
    events: (on) => ({
      begun: on.start(Begun, (m) => m.id, () => ({ log: [] })),
      touched: on(Touched, (m) => m.id),
    }),
  }, ({ initially, during, when }) => [
    initially(
      when("begun").request(GetPrice, (ctx) => ({ id: ctx.id }), {
        timeout: "30s",
        pending: "here",
        completed: (then) => then.then((ctx) => void ctx.saga.log.push(`priced ${ctx.saga.log.length}`)),
        faulted: (then) => then.finalize(),
        timedOut: (then) => then.finalize(),
      }),
    ),
    during("here", when("touched").then((ctx) => void ctx.saga.log.push(`touched ${ctx.saga.log.length}`))),
  ]);
  const bus = t.bus({ store: memoryStore() });
  bus.add(Asking);
  bus.endpoint("prices").handle(GetPrice, ({ id }) => ({ kind: "priced", message: { id, city: "Ulm" } }));
  await bus.start();
  await bus.publish(Begun, { id: "1", city: "Ulm" });
  await t.settled();
  const found = await bus.sagas(Asking).get("1");
  assertEquals(found?.data.log.map((each) => each.slice(-1)), ["0", "1"]);
});

trial("an instance that the first rule ends is missing for the second, which says so", async (t) => {
  const Ending = saga("ending", {
    data: type<{ city: string }>(),
    states: ["here"],
    indexes: ["city"],
    events: (on) => ({
      begun: on.start(Begun, (m) => m.id, (m) => ({ city: m.city })),
      touched: on(Touched, (m) => m.id),
      moved: on.where(Moved, (m) => ({ city: m.city })),
    }),
  }, ({ initially, during, when }) => [
    initially(when("begun").transitionTo("here")),
    during("here", when("touched").finalize(), when("moved").finalize()),
  ]);
  const bus = t.bus({ store: memoryStore() });
  bus.add(Ending);
  await bus.start();
  await bus.publish(Begun, { id: "1", city: "Ulm" });
  await t.settled();
  await bus.publish(Moved, { id: "1", city: "Ulm" });
  await t.settled();
  const [failed] = await all(bus.errors("ending").list());
  assertEquals([failed?.exceptions[0]?.type, await bus.sagas(Ending).count()], ["SagaNotFoundError", 1]);
});
