/** What is tried again, and what is parked for an operator. */
import { assert, assertEquals } from "@std/assert";
import { command, event, NotConfirmedError, OutcomeUnknownError, StoreFullError } from "../../mod.ts";
import { memoryStore } from "../../stores/memory/mod.ts";
import { failing, lost } from "../support/fakes/failing_transport.ts";
import { all, Journal, trial } from "../support/trial.ts";

const Work = command<{ id: string }>("parking.work");
const Step = event<{ at: number; of: string }>("parking.step", { key: ({ of }) => of });
const Done = event<{ by: string }>("parking.done");

trial("a broker that is away is tried again, less and less often, and nothing is parked by it", async (t) => {
  let away = true;
  const store = memoryStore();
  const bus = t.bus({
    store,
    transport: failing(t, ({ to }) => away && to === "topic:parking.done" ? lost() : undefined),
  });
  const done: string[] = [];
  bus.endpoint("work", { outbox: true }).handle(Work, ({ id }, ctx) => ctx.publish(Done, { by: id }));
  bus.endpoint("done").handle(Done, ({ by }) => void done.push(by));
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.pass(24 * 60 * 60_000);
  const { waiting, parked } = await store.outbox.stats("app");
  assertEquals([waiting, parked, done], [1, 0, []]);
  away = false;
  await t.pass(5 * 60_000);
  assertEquals(done, ["1"]);
});

for (
  const [what, outage] of [
    ["is away", lost()],
    ["is full", new NotConfirmedError("parking.done", "topic:parking.done")],
    ["is a database without room", new StoreFullError("postgres", "there")],
    ["is a database of which nobody knows whether it has taken something", new OutcomeUnknownError("postgres")],
  ] as const
) {
  trial(`what a broker that ${what} has put off is not parked by an odd failure afterwards`, async (t) => {
    let away = true;
    const tries: number[] = [];
    const bus = t.bus({
      store: memoryStore(),
      transport: failing(t, ({ to }) => {
        if (to !== "topic:parking.done") return undefined;
        tries.push(t.clock.now());
        return away ? outage : new Error("odd");
      }),
    });
    const parked = async () => (await all(bus.parked().list())).length;
    bus.endpoint("work", { outbox: true }).handle(Work, ({ id }, ctx) => ctx.publish(Done, { by: id }));
    await bus.start();
    await bus.send(Work, { id: "1" });
    await t.pass(24 * 60 * 60_000);
    const waits = tries.slice(1).map((time, at) => time - (tries[at] ?? 0));
    assert(waits[0]! < 2_000 && waits[1]! < 4_000 && waits[2]! > 2_000, `It waits for longer each time: ${waits}`);
    assert(waits.slice(-10).every((wait) => wait > 200_000), String(waits.slice(-10)));
    away = false;
    const inVain = tries.length;
    await t.pass(5 * 60_000);
    assertEquals([tries.length > inVain, await parked()], [true, 0]);
    // Its own failures still count.
    await t.pass(24 * 60 * 60_000);
    assertEquals([tries.length - inVain, await parked()], [20, 1]);
  });
}

trial("what waits behind another of its key is not parked for how often that one failed", async (t) => {
  let away = true;
  let odd = 1;
  const bus = t.bus({
    store: memoryStore(),
    transport: failing(t, ({ frame, to }) => {
      if (to !== "topic:parking.step") return undefined;
      const { at } = JSON.parse(new TextDecoder().decode(frame.body));
      if (at === 0) return away ? lost() : undefined;
      return odd-- > 0 ? new Error("odd") : undefined;
    }),
  });
  const got: number[] = [];
  bus.endpoint("work", { outbox: true }).handle(Work, async ({ id }, ctx) => {
    for (const at of [0, 1]) await ctx.publish(Step, { at, of: id });
  });
  bus.endpoint("steps").handle(Step, ({ at }) => void got.push(at));
  await bus.start();
  await bus.send(Work, { id: "k" });
  await t.pass(24 * 60 * 60_000);
  away = false;
  await t.pass(10 * 60_000);
  assertEquals([got, odd < 1, (await all(bus.parked().list())).length], [[0, 1], true, 0]);
});

trial("schedules that an outage has put off are not parked by an odd failure afterwards", async (t) => {
  let error: Error | undefined = lost();
  const transport = failing(t, ({ to }) => to === "topic:parking.done" ? error : undefined);
  const bus = t.bus({ store: memoryStore(), transport });
  const got: string[] = [];
  bus.endpoint("done").handle(Done, ({ by }) => void got.push(by));
  await bus.start();
  await bus.schedule(Done, { by: "late" }, { in: "1s" });
  await t.pass(24 * 60 * 60_000);
  error = new Error("odd");
  await t.pass(5 * 60_000);
  error = undefined;
  await t.pass(5 * 60_000);
  assertEquals([got, (await all(bus.parked().list())).length], [["late"], 0]);
});

trial("a message that reaches no queue is parked at once, with its error, and holds nothing up", async (t) => {
  const store = memoryStore();
  const bus = t.bus({ store });
  const journal = new Journal();
  const done: string[] = [];
  bus.observe(journal);
  bus.endpoint("work", { outbox: true }).handle(Work, async (_, ctx) => {
    await ctx.send(Work, { id: "lost" }, { to: "queue:nowhere" });
    await ctx.publish(Done, { by: "after" });
  });
  bus.endpoint("done").handle(Done, ({ by }) => void done.push(by));
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.settled();
  assertEquals(done, ["after"]);
  const [row] = await store.outbox.parked("app", undefined, 10);
  assertEquals(row?.row.to, "queue:nowhere");
  assert(row?.error.startsWith("UnroutableError: "), row?.error);
  assertEquals(journal.of("send").at(-1), "send parking.work UnroutableError");
  const part = bus.health().parts.find(({ name }) => name === "outbox");
  assertEquals(part?.status, "degraded");
});

trial("a message that fails for no known reason is parked after twenty tries", async (t) => {
  const store = memoryStore();
  const tries: number[] = [];
  const bus = t.bus({
    store,
    transport: failing(t, ({ to }) => {
      if (to !== "topic:parking.done") return undefined;
      tries.push(t.clock.now());
      return new Error("odd");
    }),
  });
  bus.endpoint("work", { outbox: true }).handle(Work, (_, ctx) => ctx.publish(Done, { by: "1" }));
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.pass(24 * 60 * 60_000);
  assertEquals(tries.length, 20);
  assertEquals((await store.outbox.stats("app")).parked, 1);
  const waits = tries.slice(1).map((time, at) => time - (tries[at] ?? 0));
  assert(waits.every((wait) => wait <= 300_000) && (waits[0] ?? 0) < 2000, String(waits));
});

trial("what is parked is sent once an operator has it taken up again", async (t) => {
  const store = memoryStore();
  const bus = t.bus({ store });
  bus.endpoint("work", { outbox: true }).handle(
    Work,
    ({ id }, ctx) => id === "1" ? ctx.send(Work, { id: "2" }, { to: "queue:late", messageId: "m" }) : undefined,
  );
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.settled();
  const late = t.bus({ name: "late" });
  const got: string[] = [];
  late.endpoint("late", { subscribe: false }).handle(Work, ({ id }) => void got.push(id));
  await late.start();
  const [parked, ...others] = await all(bus.parked().list());
  assertEquals([parked?.messageId, parked?.contract?.name, parked?.to, others], [
    "m",
    "parking.work",
    "queue:late",
    [],
  ]);
  assert(parked?.error.startsWith("UnroutableError"));
  assertEquals(await bus.parked().release(["another"]), 0);
  assertEquals(await bus.parked().release("all"), 1);
  await t.settled();
  assertEquals(bus.health().parts.find(({ name }) => name === "outbox")?.status, "healthy");
  assertEquals(await all(bus.parked().list()), []);
  assertEquals(got, ["2"]);
});
