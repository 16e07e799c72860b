/** Compensation on a bus: undos in reverse, each in a unit of its own, whatever happens between two of them. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { command, CompensationFailed, event, retry, saga, type } from "../../../mod.ts";
import { memoryDatabase } from "../../../stores/memory/mod.ts";
import { ScriptedStore } from "../../support/fakes/scripted_store.ts";
import { all, Journal, type Trial, trial } from "../../support/trial.ts";
import type { Bus } from "../../../src/bus/bus.ts";
import type { On } from "../../../src/sagas/correlation.ts";

const Begun = event<{ id: string }>("trips.begun");
const Failed = event<{ id: string }>("trips.failed");
const Over = event<{ id: string }>("trips.over");
const Undo = command<{ id: string; what: string }>("trips.undo");

/** What is the same in all versions of the saga. */
const trip = {
  data: type<object>(),
  states: ["booked", "undone"] as const,
  events: (on: On<object>) => ({ begun: on.start(Begun, (m) => m.id, () => ({})), failed: on(Failed, (m) => m.id) }),
};

/** Books three things, and gives them back when it fails; `broken` names what cannot be given back. */
function tripSaga(broken: { what?: string; times: number }) {
  const undo = (id: string, what: string): { id: string; what: string } => {
    if (broken.what === what && broken.times-- > 0) throw new Error(`cannot give back the ${what}`);
    return { id, what };
  };
  return saga("trip", trip, ({ initially, during, when }) => [
    initially(
      when("begun")
        .compensateWith("flight", (steps) => steps.send(Undo, (ctx) => undo(ctx.id, "flight")))
        .compensateWith("hotel", (steps) => steps.send(Undo, (ctx) => undo(ctx.id, "hotel")))
        .compensateWith("car", (steps) => steps.send(Undo, (ctx) => undo(ctx.id, "car")))
        .transitionTo("booked"),
    ),
    during(
      "booked",
      when("failed").compensate().publish(Over, (ctx) => ({ id: ctx.id })).transitionTo("undone"),
    ),
  ]);
}

function listen(bus: Bus): string[] {
  const told: string[] = [];
  bus.endpoint("told", { concurrency: 1 })
    .handle(Undo, ({ what }) => void told.push(what))
    .handle(Over, () => void told.push("over"))
    .handle(CompensationFailed, ({ saga, id, undo, exceptions }) => {
      told.push(`${saga} ${id} ${undo}: ${exceptions[0]?.type}`);
    });
  return told;
}

async function begun(t: Trial, bus: Bus): Promise<void> {
  await bus.start();
  await bus.publish(Begun, { id: "1" });
  await t.settled();
  await bus.publish(Failed, { id: "1" });
  await t.settled();
}

trial("undos run in reverse, then what waits for them", async (t) => {
  const bus = t.bus();
  const told = listen(bus);
  const Trip = tripSaga({ times: 0 });
  bus.add(Trip);
  await begun(t, bus);
  assertEquals(told, ["car", "hotel", "flight", "over"]);
  const trip = await bus.sagas(Trip).get("1");
  assertEquals([trip?.state, trip?.undos, trip?.compensating], ["undone", [], false]);
});

trial("an undo that fails is tried again as the endpoint says, and the others are not undone twice", async (t) => {
  const bus = t.bus();
  const told = listen(bus);
  bus.add(tripSaga({ what: "hotel", times: 3 }), { retry: retry.interval(3, "1s") });
  await begun(t, bus);
  await t.pass(5_000);
  assertEquals(told, ["car", "hotel", "flight", "over"]);
});

trial("an undo that is given up is told of, the instance waits as it was, and goes on when it is mended", async (t) => {
  const bus = t.bus();
  const told = listen(bus);
  const Trip = tripSaga({ what: "hotel", times: 1 });
  const journal = new Journal();
  bus.add(Trip);
  bus.observe(journal);
  await begun(t, bus);
  assertEquals(told, ["car", "trip 1 hotel: CompensationFailedError"]);
  const trips = bus.sagas(Trip);
  const waiting = await trips.get("1");
  assertEquals([waiting?.state, waiting?.undos, waiting?.compensating], ["booked", ["flight", "hotel"], true]);
  const [parked] = await all(bus.errors("trip").list());
  assertEquals(parked?.exceptions[0]?.type, "CompensationFailedError");
  assertEquals(journal.of("fault "), [], "what a saga sends to itself is nobody's contract");
  assertEquals(await trips.redeliver("1"), 1);
  await t.settled();
  assertEquals(told.slice(2), ["hotel", "flight", "over"]);
});

trial("what waits in vain for a compensation is given up for that reason, and goes on with it", async (t) => {
  const bus = t.bus();
  const told = listen(bus);
  const Trip = tripSaga({ what: "hotel", times: 1 });
  bus.add(Trip);
  await begun(t, bus);
  await bus.publish(Failed, { id: "1" });
  await t.pass(60 * 60_000);
  const parked = await all(bus.errors("trip").list());
  assertEquals(parked.map(({ exceptions }) => exceptions[0]?.type), [
    "CompensationFailedError",
    "SagaCompensatingError",
  ]);
  assertStringIncludes(parked[1]?.exceptions[0]?.message ?? "", `still compensates after "failed" has come 11 times`);
  assertEquals(await bus.sagas(Trip).redeliver("1"), 2);
  await t.pass(60_000);
  assertEquals(told.slice(2), ["hotel", "flight", "over"]);
});

trial("a compensation whose message was thrown away goes on when it is asked to", async (t) => {
  const bus = t.bus();
  const told = listen(bus);
  const Trip = tripSaga({ what: "hotel", times: 1 });
  bus.add(Trip);
  await begun(t, bus);
  assertEquals(await bus.errors("trip").discard("all"), 1);
  assertEquals(await bus.sagas(Trip).redeliver("1"), 1);
  await t.settled();
  assertEquals(told.slice(2), ["hotel", "flight", "over"]);
  assertEquals(await bus.sagas(Trip).redeliver("1"), 0);
});

/** The same trips, by a later version of their saga that does not know how to give back what it never books. */
function changedTripSaga(known: readonly string[]) {
  return saga("trip", trip, ({ initially, during, when }) => [
    initially(
      ...known.map((what) =>
        when("begun", () => false).compensateWith(
          what,
          (steps) => steps.send(Undo, (ctx) => ({ id: ctx.id, what })),
        )
      ),
      when("begun").transitionTo("booked"),
    ),
    during("booked", when("failed").compensate().publish(Over, (ctx) => ({ id: ctx.id })).transitionTo("undone")),
  ]);
}

for (
  const [what, known, undone] of [
    ["one undo", ["flight", "car"], ["car"]],
    ["all undos", [], []],
  ] as const
) {
  trial(
    `an instance whose saga has lost ${what} is parked and told of, and goes on once it has them again`,
    async (t) => {
      const database = memoryDatabase();
      const first = t.bus({ store: new ScriptedStore(database), name: "trips" });
      first.add(tripSaga({ times: 0 }));
      await first.start();
      await first.publish(Begun, { id: "1" });
      await t.settled();
      await first.stop();

      const changed = t.bus({ store: new ScriptedStore(database), name: "trips" });
      const told = listen(changed);
      const Changed = changedTripSaga(known);
      changed.add(Changed);
      await changed.start();
      await changed.publish(Failed, { id: "1" });
      await t.settled();
      const lost = what === "one undo" ? "hotel" : "car";
      assertEquals(told, [...undone, `trip 1 ${lost}: UnknownUndoError`]);
      assertEquals((await all(changed.errors("trip").list())).map(({ exceptions }) => exceptions[0]?.type), [
        "UnknownUndoError",
      ]);
      assertEquals((await changed.sagas(Changed).get("1"))?.compensating, true);
      await changed.stop();

      const mended = t.bus({ store: new ScriptedStore(database), name: "trips" });
      const toldNext = listen(mended);
      const Trip = tripSaga({ times: 0 });
      mended.add(Trip);
      await mended.start();
      assertEquals(await mended.sagas(Trip).redeliver("1"), 1);
      await t.settled();
      assertEquals([...told.filter((each) => !each.startsWith("trip ")), ...toldNext], [
        "car",
        "hotel",
        "flight",
        "over",
      ]);
      assertEquals((await mended.sagas(Trip).get("1"))?.state, "undone");
    },
  );
}

for (const point of ["begin", "commit", "committed"] as const) {
  for (const undo of [1, 2, 3, 4]) {
    trial(`a process that ends at "${point}" of undo ${undo} leaves the rest to the next, each once`, async (t) => {
      const database = memoryDatabase();
      const first = new ScriptedStore(database);
      const bus = t.bus({ store: first, name: "trips" });
      const told = listen(bus);
      const Trip = tripSaga({ times: 0 });
      bus.add(Trip);
      const dying = Promise.withResolvers<never>();
      dying.promise.catch(() => {});
      await bus.start();
      await bus.publish(Begun, { id: "1" });
      await t.settled();
      // The unit of `Failed`, then one of each undo.
      const from = first.count(point);
      let dead = false;
      first.script = (call, time) => {
        if (dead) return dying.promise;
        if (call !== point || time <= from + undo) return;
        dead = true;
        return dying.promise;
      };
      await bus.publish(Failed, { id: "1" });
      await t.settled();
      t.broker.kill(t.transportOf(bus));
      await first.close(); // its database rolls back what it had begun
      const next = t.bus({ store: new ScriptedStore(database), name: "trips" });
      const toldNext = listen(next);
      next.add(Trip);
      await next.start();
      await t.pass(120_000);
      assertEquals(dead, true);
      assertEquals([...told, ...toldNext].sort(), ["car", "flight", "hotel", "over"]);
      assertEquals((await next.sagas(Trip).get("1"))?.state, "undone");
    });
  }
}
