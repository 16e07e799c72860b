/** A process' clock and the database's may tell different times. */
import { assert, assertEquals } from "@std/assert";
import { command, createBus, event } from "../../../mod.ts";
import { systemClock } from "../../../src/runtime/system_clock.ts";
import type { Clock } from "../../../src/spi/clock.ts";
import type { Leased } from "../../../src/spi/store.ts";
import type { OutboxRow } from "../../../src/spi/rows.ts";
import { onPostgres, type Opened } from "./opened.ts";

const Work = command<{ id: number; uses: boolean }>("clocks.work");
const Done = event<{ id: number }>("clocks.done");
const hourInMs = 3_600_000;
const leaseMs = 30_000;

/** Says another time than the machine, and so than the database. */
function apart(ms: number): Clock {
  return { now: () => systemClock.now() + ms, at: (time, run) => systemClock.at(time - ms, run) };
}

/** A store whose process has such a clock. */
async function storeApart(opened: Opened, clock: Clock) {
  const store = opened.bench.store();
  const { signal } = new AbortController();
  await store.open({ bus: opened.bus, clock, signal, status: () => {} });
  await store.deploy("apply");
  return store;
}

for (const ms of [hourInMs, -hourInMs]) {
  const where = `${ms > 0 ? "ahead of" : "behind"} the database's`;

  onPostgres(
    `a bus whose clock is an hour ${where} sends what it commits, and what others have left`,
    async (opened) => {
      const bus = createBus({ name: opened.bus, store: opened.bench.store(), clock: apart(ms) });
      const done: number[] = [];
      bus.endpoint("work", { outbox: true }).handle(Work, async ({ id, uses }, ctx) => {
        if (uses) await ctx.tx`SELECT 1`;
        await ctx.publish(Done, { id });
      });
      bus.endpoint("done").handle(Done, ({ id }) => void done.push(id));
      await bus.deploy("apply");
      const left = await opened.store();
      const frame = { contentType: "application/json", headers: { "hero-id": "left", "hero-type": "clocks.done" } };
      const row = opened.row({
        id: "left",
        to: "queue:done",
        frame: { ...frame, body: new TextEncoder().encode('{"id":0}') },
      });
      await (await left.begin(opened.scope({ leaseMs: 0 }))).commit(opened.changes({ outbox: [row] }));
      await bus.start();
      try {
        await bus.send(Work, { id: 1, uses: false });
        await bus.send(Work, { id: 2, uses: true });
        await bus.transaction((_, sender) => sender.publish(Done, { id: 3 }, { key: "one" }));
        await opened.until("all four", () => done.length >= 4);
        assertEquals(done.toSorted(), [0, 1, 2, 3]);
      } finally {
        await bus.stop();
      }
    },
  );

  onPostgres(`a lease ends by the clock of its process, which is an hour ${where}`, async (opened) => {
    const clock = apart(ms);
    const store = await storeApart(opened, clock);
    try {
      const began = clock.now();
      const rows: (readonly Leased<OutboxRow>[])[] = [];
      for (const [key, uses] of [[undefined, false], ["k", false], [undefined, true]] as const) {
        const unit = await store.begin(opened.scope({ leaseMs }));
        if (uses) await unit.tx`SELECT 1`;
        rows.push(await unit.commit(opened.changes({ outbox: [opened.row({ key })] })));
      }
      await (await store.begin(opened.scope({ leaseMs: 0 }))).commit(opened.changes({ outbox: [opened.row()] }));
      rows.push(await store.outbox.claim(opened.bus, 10, leaseMs));
      for (const [each, ...others] of rows) {
        assertEquals(others, []);
        assert(each !== undefined && each.until >= began + leaseMs && each.until <= clock.now() + leaseMs);
      }
    } finally {
      await store.close();
    }
  });

  onPostgres(`what is put off waits as long as it is to, by a clock that is an hour ${where}`, async (opened) => {
    const clock = apart(ms);
    const store = await storeApart(opened, clock);
    try {
      const unit = await store.begin(opened.scope({ leaseMs }));
      const [leased] = await unit.commit(opened.changes({ outbox: [opened.row()] }));
      assert(leased !== undefined);
      const { oldest } = await store.outbox.stats(opened.bus);
      assert(oldest !== undefined && Math.abs(clock.now() - oldest) < 10_000, `${clock.now()} ${oldest}`);
      const dueAt = clock.now() + 500;
      await store.outbox.later([{ leased, dueAt, error: "failed", park: false }]);
      assertEquals(await store.outbox.claim(opened.bus, 10, leaseMs), []);
      await store.outbox.next(opened.bus, new AbortController().signal);
      assert(clock.now() >= dueAt && clock.now() < dueAt + 10_000);
      assertEquals((await store.outbox.claim(opened.bus, 10, leaseMs)).map(({ attempts }) => attempts), [1]);
    } finally {
      await store.close();
    }
  });
}

onPostgres("what was sent is gone soon, though the clock was set back by an hour before", async (opened) => {
  let back = 0;
  const clock: Clock = {
    now: () => systemClock.now() - back,
    at: (time, run) => systemClock.at(time + back, run),
  };
  const store = await storeApart(opened, clock);
  try {
    const send = async (): Promise<void> => {
      const unit = await store.begin(opened.scope({ leaseMs }));
      await store.outbox.done(await unit.commit(opened.changes({ outbox: [opened.row()] })));
    };
    await send();
    back = hourInMs;
    let gone = false;
    send().then(() => gone = true, () => {});
    await opened.until("the second to be gone", () => gone);
    assertEquals((await store.outbox.stats(opened.bus)).waiting, 0);
  } finally {
    await store.close();
  }
});
