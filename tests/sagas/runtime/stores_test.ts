/** Sagas on every store: many instances, one hot one, two processes on one, and what lasts over a restart. */
import { assert, assertEquals } from "@std/assert";
import { command, event, saga, type } from "../../../mod.ts";
import { turn } from "../../../src/testing/turn.ts";
import { counting } from "../../support/counting_store.ts";
import { onStores } from "./on_stores.ts";

const Begun = event<{ id: string }>("runs.begun");
const Added = event<{ id: string; by: number }>("runs.added");
const Work = command<{ id: string }>("runs.work");
const Worked = event<{ id: string }>("runs.worked");
const Ended = event<{ id: string }>("runs.ended");

const RunSaga = saga("run", {
  data: type<object>(),
  states: ["working"],
  finalized: "archived",
  events: (on) => ({ begun: on.start(Begun, (m) => m.id, () => ({})), worked: on(Worked, (m) => m.id) }),
}, ({ initially, during, when }) => [
  initially(when("begun").send(Work, (ctx) => ({ id: ctx.id })).transitionTo("working")),
  during("working", when("worked").publish(Ended, (ctx) => ({ id: ctx.id })).finalize()),
]);

// Case 41.
onStores("a reply never overtakes the state that it is for: 1,000 that are answered at once all end", async (on) => {
  const bus = on.bus();
  const ended = new Map<string, number>();
  bus.add(RunSaga, { concurrency: 8 });
  bus.endpoint("work", { concurrency: 8 }).handle(Work, ({ id }, ctx) => ctx.publish(Worked, { id }));
  bus.endpoint("told").handle(Ended, ({ id }) => void ended.set(id, (ended.get(id) ?? 0) + 1));
  await bus.start();
  await Promise.all(Array.from({ length: 1_000 }, (_, id) => bus.publish(Begun, { id: String(id) })));
  await on.until("all have ended", () => ended.size === 1_000);
  assertEquals([...ended.values()].filter((times) => times !== 1), []);
  assertEquals([await bus.sagas(RunSaga).count("final"), (await bus.counts("run")).failed], [1_000, 0]);
});

/** Two that come are let go together; so often: then nobody waits any more. */
class Meetings {
  #left: number;
  #first: (() => void) | undefined;

  constructor(times: number) {
    this.#left = times;
  }

  /** How many are still to be. */
  get left(): number {
    return this.#left;
  }

  async meet(): Promise<void> {
    if (this.#left === 0) return;
    const first = this.#first;
    if (first === undefined) return await new Promise<void>((resolve) => this.#first = resolve);
    this.#first = undefined;
    this.#left--;
    first();
  }
}

/** A few turns of the event loop, in which others come to be handled. */
async function turns(): Promise<void> {
  for (let left = 5; left > 0; left--) await turn();
}

/** @param between called between reading the total and writing it */
function counterSaga(concurrency: "optimistic" | "pessimistic", between: () => Promise<void>) {
  return saga("counter", {
    data: type<{ total: number }>(),
    states: ["counting"],
    concurrency,
    events: (on) => ({
      begun: on.start(Begun, (m) => m.id, () => ({ total: 0 })),
      added: on(Added, (m) => m.id, { onMissing: "redeliver" }),
    }),
  }, ({ initially, during, when }) => [
    initially(when("begun").transitionTo("counting")),
    during(
      "counting",
      when("added").then(async (ctx) => {
        const before = ctx.saga.total;
        await between();
        ctx.saga.total = before + ctx.message.by;
      }),
    ),
  ]);
}

for (const concurrency of ["optimistic", "pessimistic"] as const) {
  onStores(`two processes change one instance at once, slowly, and nothing is lost (${concurrency})`, async (on) => {
    // One that is let in alone would wait for the other in vain.
    const meetings = new Meetings(concurrency === "optimistic" ? 2 : 0);
    const Counter = counterSaga(concurrency, async () => {
      await meetings.meet();
      await turns();
    });
    const [one, other] = [on.bus(), on.bus()];
    for (const bus of [one, other]) {
      bus.add(Counter, { concurrency: 8 });
      await bus.start();
    }
    await one.publish(Begun, { id: "1" });
    await Promise.all(Array.from({ length: 60 }, (_, at) => one.publish(Added, { id: "1", by: 1 + at })));
    const total = 60 * 61 / 2;
    await on.until("all have been added", async () => (await one.sagas(Counter).get("1"))?.data.total === total);
    assertEquals(meetings.left, 0);
    for (const bus of [one, other]) await bus.stop();
    const after = on.bus();
    after.add(Counter);
    await after.start();
    assertEquals((await after.sagas(Counter).get("1"))?.data.total, total);
    assertEquals((await after.counts("counter")).failed, 0);
  });
}

const Joined = event<{ id: string }>("runs.joined");

for (const concurrency of ["optimistic", "pessimistic"] as const) {
  onStores(
    `two processes start one instance at once: there is one, and both have been counted (${concurrency})`,
    async (on) => {
      const starting = new Map<string, Meetings>();
      const Shared = saga("shared", {
        data: type<{ total: number }>(),
        states: ["open"],
        concurrency,
        events: (on) => ({
          begun: on.start(Begun, (m) => m.id, () => ({ total: 0 })),
          joined: on.start(Joined, (m) => m.id, () => ({ total: 0 })),
        }),
      }, ({ initially, during, when }) => {
        const start = (event: "begun" | "joined") =>
          when(event).then(async (ctx) => {
            await starting.get(ctx.id)?.meet();
            await turns();
            ctx.saga.total++;
          }).transitionTo("open");
        return [
          initially(start("begun"), start("joined")),
          during(
            "open",
            when("begun").then((ctx) => void ctx.saga.total++),
            when("joined").then((ctx) => void ctx.saga.total++),
          ),
        ];
      });
      const [one, other] = [on.bus(), on.bus()];
      for (const bus of [one, other]) {
        bus.add(Shared, { concurrency: 1, prefetch: 1 });
        await bus.start();
      }
      const ids = Array.from({ length: 10 }, (_, at) => `i${at}`);
      for (const id of ids) {
        // As above.
        starting.set(id, new Meetings(concurrency === "optimistic" ? 1 : 0));
        await Promise.all([one.publish(Begun, { id }), one.publish(Joined, { id })]);
        await on.until(`both to have joined ${id}`, async () => (await one.sagas(Shared).get(id))?.data.total === 2);
      }
      assertEquals(await one.sagas(Shared).count(), ids.length);
      assertEquals((await one.counts("shared")).failed, 0);
      assertEquals([...starting].filter(([, { left }]) => left > 0), [], "Not all were made by two at once");
    },
  );
}

onStores(
  "1,000 events for one instance, 64 at once, cost little more than a write each, and none is lost",
  async (on) => {
    const Counter = counterSaga("optimistic", () => Promise.resolve());
    const counts = { commits: 0 };
    const bus = on.bus((store) => counting(store, counts));
    bus.add(Counter, { concurrency: 64 });
    await bus.start();
    await bus.publish(Begun, { id: "1" });
    await on.until("it has begun", async () => await bus.sagas(Counter).get("1") !== undefined);
    counts.commits = 0;
    await Promise.all(Array.from({ length: 1_000 }, () => bus.publish(Added, { id: "1", by: 1 })));
    await on.until("all have been added", async () => (await bus.sagas(Counter).get("1"))?.data.total === 1_000);
    assert(counts.commits < 1_100, `${counts.commits} commits`);
  },
);

const Timed = saga("timed", {
  data: type<object>(),
  states: ["waiting"],
  timeouts: { due: "1h" },
  events: (on) => ({
    begun: on.start(Begun, (m) => m.id, () => ({})),
    worked: on(Worked, (m) => m.id, { onMissing: "discard" }),
  }),
}, ({ initially, during, when, timeout }) => [
  initially(when("begun").schedule("due").transitionTo("waiting")),
  during(
    "waiting",
    timeout("due").publish(Ended, (ctx) => ({ id: ctx.id })).finalize(),
    when("worked").unschedule("due").finalize(),
  ),
]);

onStores("timeouts that came due while nothing ran fire once when it runs again, unless taken back", async (on) => {
  const ended: string[] = [];
  const started = async () => {
    const bus = on.bus();
    bus.add(Timed);
    bus.endpoint("told").handle(Ended, ({ id }) => void ended.push(id));
    await bus.start();
    return bus;
  };
  const first = await started();
  await Promise.all(["1", "2", "3"].map((id) => first.publish(Begun, { id })));
  await first.publish(Worked, { id: "2" });
  await on.until("one is over", async () => await first.sagas(Timed).get("2") === undefined);
  await first.stop();
  await on.leap(3_600_000);
  const next = await started();
  await on.until("all are over", async () => await next.sagas(Timed).count() === 0 && ended.length >= 2);
  await next.stop();
  assertEquals(ended.sort(), ["1", "3"]);
});
