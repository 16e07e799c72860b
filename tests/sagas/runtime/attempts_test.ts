/** Attempts that fail: what they answered, sent, scheduled and changed is as if it had never been. */
import { assertEquals, assertRejects } from "@std/assert";
import { command, event, fault, RequestFaultError, retry, saga, type } from "../../../mod.ts";
import { memoryDatabase, memoryStore } from "../../../stores/memory/mod.ts";
import { Journal, trial } from "../../support/trial.ts";

const Ask = command<{ id: string; fails: number }, { attempt: number; count: number }>("tries.ask");
const Told = event<{ attempt: number }>("tries.told");
const Do = command<{ attempt: number }>("tries.do", { to: "queue:doer" });

const Tries = saga("tries", {
  data: type<{ count: number }>(),
  states: ["open"],
  timeouts: { due: "1h" },
  events: (on) => ({ asked: on.start(Ask, (m) => m.id, () => ({ count: 0 })) }),
}, ({ initially, during, when, timeout }) => [
  initially(
    when("asked")
      .then((ctx) => void ctx.saga.count++)
      .respond((ctx) => ({ attempt: ctx.attempt, count: ctx.saga.count }))
      .publish(Told, (ctx) => ({ attempt: ctx.attempt }))
      .send(Do, (ctx) => ({ attempt: ctx.attempt }))
      .schedule("due")
      .transitionTo("open")
      .then((ctx) => {
        if (ctx.attempt <= ctx.message.fails) throw new RangeError(`attempt ${ctx.attempt}`);
      }),
  ),
  during("open", timeout("due").finalize()),
]);

trial("an attempt that fails answers and sends nothing; the one that succeeds does, once", async (t) => {
  const database = memoryDatabase();
  const bus = t.bus({ store: memoryStore({ database }) });
  const seen: string[] = [];
  bus.add(Tries, { retry: retry.immediate(2) });
  bus.endpoint("told").handle(Told, ({ attempt }) => void seen.push(`told ${attempt}`));
  bus.endpoint("doer").handle(Do, ({ attempt }) => void seen.push(`done ${attempt}`));
  bus.endpoint("faults").handle(fault(Ask), ({ exceptions: [first] }) => void seen.push(`fault ${first?.message}`));
  const journal = new Journal();
  bus.observe(journal);
  await bus.start();
  assertEquals(await bus.request(Ask, { id: "1", fails: 2 }), { attempt: 3, count: 1 });
  await t.settled();
  assertEquals(seen.toSorted(), ["done 3", "told 3"]);
  assertEquals(journal.of("respond"), ["respond tries.ask"]);
  assertEquals([database.counts.sagas, database.counts.schedules], [1, 1]);

  const error = await assertRejects(() => bus.request(Ask, { id: "2", fails: 3 }), RequestFaultError);
  assertEquals(error.exceptions.map(({ message }) => message), ["attempt 3"]);
  await t.settled();
  assertEquals([seen.length, journal.of("respond").length], [2, 1]);
  assertEquals([database.counts.sagas, database.counts.schedules, (await bus.counts("tries")).failed], [1, 1, 1]);
});

trial(
  "what a send middleware refuses for a while fails the attempt, and leaves with the one that succeeds",
  async (t) => {
    const bus = t.bus({ store: memoryStore() });
    const seen: number[] = [];
    let refusals = 2;
    bus.endpoint("tries", { retry: retry.immediate(1), redeliver: ["10s"] }).add(Tries).useSend(async (ctx, next) => {
      if (ctx.contract.name === Told.name && refusals-- > 0) throw new Error("not now");
      await next();
    });
    bus.endpoint("told").handle(Told, ({ attempt }) => void seen.push(attempt));
    bus.endpoint("doer").handle(Do, () => {});
    await bus.start();
    const asked = bus.request(Ask, { id: "1", fails: 0 }, { timeout: "1m" });
    await t.settled();
    assertEquals([seen, await bus.sagas(Tries).get("1")], [[], undefined]);
    await t.pass(10_000);
    assertEquals(await asked, { attempt: 3, count: 1 });
    await t.settled();
    assertEquals([seen, (await bus.sagas(Tries).get("1"))?.state, refusals], [[3], "open", -1]);
    assertEquals((await bus.counts("tries")).failed, 0);
  },
);
