/** The outbox: claimed by a lease, sent, postponed, parked. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { ids, type StoreCase } from "./trial.ts";

export const dueCases: readonly StoreCase[] = [
  {
    name: "a commit gives back what is due, leased: nobody else gets it until the lease ends",
    async run(trial) {
      const now = trial.clock.now();
      const hour = 3_600_000;
      const other = await trial.elsewhere();
      const rows = [trial.row(), trial.row({ dueAt: now }), trial.row({ dueAt: now + hour })];
      const leased = await trial.commit({ outbox: rows }, { leaseMs: hour });
      assertEquals(ids(leased).toSorted(), [rows[0]!.id, rows[1]!.id].toSorted());
      for (const { attempts, until } of leased) {
        assertEquals(attempts, 0);
        assert(until >= now + hour);
      }
      assertEquals(await trial.claim(), []);
      assertEquals(await trial.claim(10, 1, other), []);
      // Where time is real, a commit may take longer than these leases: given or claimed, all of them end.
      const short = [trial.row(), trial.row({ dueAt: trial.clock.now() + 50 })];
      await trial.commit({ outbox: short }, { leaseMs: 1 });
      await trial.clock.pass(60);
      assertEquals((await trial.claim(10, hour, other)).toSorted(), short.map(({ id }) => id).toSorted());
      assertEquals(await trial.claim(), []);
    },
  },
  {
    name: "the same row twice is one",
    async run(trial) {
      const row = trial.row();
      assertEquals(ids(await trial.commit({ outbox: [row, row] }, { leaseMs: 1 })), [row.id]);
      assertEquals(await trial.commit({ outbox: [row] }), []);
      await trial.clock.pass(2);
      assertEquals(await trial.claim(), [row.id]);
    },
  },
  {
    name: "what is done is gone, and saying it twice is saying it once",
    async run(trial) {
      const leased = await trial.commit({ outbox: [trial.row(), trial.row()] }, { leaseMs: 1 });
      await trial.store.outbox.done([leased[0]!, leased[0]!]);
      await trial.store.outbox.done([leased[0]!]);
      await trial.store.outbox.done([]);
      await trial.clock.pass(2);
      assertEquals(await trial.claim(), [leased[1]!.row.id]);
    },
  },
  {
    name: "what is done after the lease ended is gone, if nobody has claimed it since",
    async run(trial) {
      const leased = await trial.commit({ outbox: [trial.row()] }, { leaseMs: 1 });
      await trial.clock.pass(5);
      await trial.store.outbox.done(leased);
      assertEquals(await trial.claim(), []);
    },
  },
  {
    name: "who lost the lease to another can change nothing any more",
    async run(trial) {
      const first = await trial.commit({ outbox: [trial.row()] }, { leaseMs: 1 });
      await trial.clock.pass(2);
      const other = await trial.elsewhere();
      const second = await other.outbox.claim(trial.bus, 1, 50);
      assertEquals(ids(second), ids(first));
      assertEquals(first[0]!.fence, 1);
      assert(second[0]!.fence > 1);
      await trial.store.outbox.done(first);
      await trial.store.outbox.later([{ leased: first[0]!, dueAt: 0, error: "late", park: true }]);
      const stats = await trial.store.outbox.stats(trial.bus);
      assertEquals([stats.waiting, stats.parked], [1, 0]);
      await trial.clock.pass(60);
      const third = await trial.store.outbox.claim(trial.bus, 1, 1_000);
      assertEquals([ids(third), third[0]!.attempts], [ids(first), 0]);
      await other.outbox.done(second);
      await trial.store.outbox.done(third);
      assertEquals((await trial.store.outbox.stats(trial.bus)).waiting, 0);
    },
  },
  {
    name: "what is postponed comes again at its time and not before, and counts its attempts",
    async run(trial) {
      const [first] = await trial.commit({ outbox: [trial.row()] });
      await trial.store.outbox.later([{ leased: first!, dueAt: trial.clock.now() + 1_000, error: "a", park: false }]);
      assertEquals(await trial.claim(), []);
      await trial.clock.pass(1_050);
      const [second] = await trial.store.outbox.claim(trial.bus, 10, 10_000);
      assertEquals([second?.row, second?.attempts], [first!.row, 1]);
      await trial.store.outbox.later([{ leased: second!, dueAt: 0, error: "b", park: false }]);
      const [third] = await trial.store.outbox.claim(trial.bus, 10, 10_000);
      assertEquals([third?.row.id, third?.attempts], [first!.row.id, 2]);
      assertNotEquals(third!.fence, second!.fence);
    },
  },
  {
    name: "what is postponed and does not count leaves the number of attempts as it is",
    async run(trial) {
      let leased = await trial.commit({ outbox: [trial.row({ key: "k" })] });
      const attempts: (number | undefined)[] = [];
      for (const counts of [false, true, false, undefined]) {
        const rest = { dueAt: 0, error: "no", park: false };
        await trial.store.outbox.later([{ leased: leased[0]!, ...rest, ...counts === undefined ? {} : { counts } }]);
        leased = await trial.store.outbox.claim(trial.bus, 10, 10_000);
        attempts.push(leased[0]?.attempts);
      }
      assertEquals(attempts, [0, 1, 1, 2]);
      await trial.store.outbox.later([{ leased: leased[0]!, dueAt: 0, error: "no", park: true, counts: false }]);
      const [parked] = await trial.store.outbox.parked(trial.bus, undefined, 1);
      assertEquals(parked?.attempts, 2);
    },
  },
  {
    name: "what was postponed cannot be finished by who postponed it",
    async run(trial) {
      const leased = await trial.commit({ outbox: [trial.row()] });
      await trial.store.outbox.later([{ leased: leased[0]!, dueAt: 0, error: "a", park: false }]);
      await trial.store.outbox.done(leased);
      await trial.store.outbox.later([{ leased: leased[0]!, dueAt: 0, error: "b", park: true }]);
      assertEquals(await trial.claim(), ids(leased));
    },
  },
  {
    name: "what is parked is claimed by nobody, is listed with its error, and can be freed",
    async run(trial) {
      const rows = Array.from({ length: 5 }, (_, at) => trial.row({ id: `row-${at}` }));
      const leased = await trial.commit({ outbox: rows });
      const other = { bus: trial.name("bus") };
      const theirs = await trial.commit({ outbox: [trial.row()] }, other);
      await trial.store.outbox.later([...leased, ...theirs].map((each) => ({
        leased: each,
        dueAt: 0,
        error: `refused: ${each.row.id}`,
        park: true,
      })));
      await trial.clock.pass(trial.clock.virtual ? 60_000 : 500);
      assertEquals(await trial.claim(), []);
      const stats = await trial.store.outbox.stats(trial.bus);
      assertEquals([stats.waiting, stats.parked, stats.oldest], [0, 5, undefined]);
      const page = await trial.store.outbox.parked(trial.bus, undefined, 3);
      assertEquals(ids(page), ["row-0", "row-1", "row-2"]);
      assertEquals([page[0]!.row, page[0]!.attempts, page[0]!.error], [rows[0]!, 1, "refused: row-0"]);
      assertEquals(ids(await trial.store.outbox.parked(trial.bus, "row-2", 3)), ["row-3", "row-4"]);
      assertEquals(await trial.store.outbox.unpark(trial.bus, ["row-1", "row-3", "missing", theirs[0]!.row.id]), 2);
      assertEquals(await trial.store.outbox.unpark(trial.bus, ["row-1"]), 0);
      const freed = await trial.store.outbox.claim(trial.bus, 10, 1_000);
      assertEquals(ids(freed).toSorted(), ["row-1", "row-3"]);
      assertEquals(freed.map(({ attempts }) => attempts), [0, 0]);
      await trial.store.outbox.done(leased);
      assertEquals((await trial.store.outbox.stats(trial.bus)).parked, 3);
    },
  },
  {
    name: "what is parked can be deleted, and nothing else can",
    async run(trial) {
      const rows = Array.from({ length: 4 }, (_, at) => trial.row({ id: `row-${at}`, key: "key" }));
      const due = trial.store.outbox;
      const leased = await trial.commit({ outbox: rows });
      const other = { bus: trial.name("bus") };
      const theirs = await trial.commit({ outbox: [trial.row({ id: "row-1" })] }, other);
      const [first, second] = leased;
      await due.later(
        [first!, second!, ...theirs].map((each) => ({ leased: each, dueAt: 0, error: "no", park: true })),
      );
      const all = ["row-1", "row-2", "row-3", "missing"];
      assertEquals([await due.discard(trial.bus, all), await due.discard(trial.bus, all)], [1, 0]);
      assertEquals(ids(await due.parked(trial.bus, undefined, 10)), ["row-0"]);
      assertEquals(ids(await due.parked(other.bus, undefined, 10)), ["row-1"], "that of another bus stays");
      assertEquals(await due.unpark(trial.bus, all), 0, "it does not come back");
      await due.done(leased.slice(2)); // what was under way still counts
      assertEquals(await due.stats(trial.bus), { waiting: 0, parked: 1, oldest: undefined });
    },
  },
  {
    name: "stats tell what waits, and since when the oldest is due",
    async run(trial) {
      const now = trial.clock.now();
      const due = trial.store.outbox;
      /** Whose clock is another's counts how long ago it was, while time passes. */
      const stats = async () => {
        const asked = trial.clock.now();
        const { oldest, ...rest } = await due.stats(trial.bus);
        const isSo = oldest !== undefined && oldest >= now - 700 && oldest <= now - 700 + trial.clock.now() - asked;
        return { ...rest, oldest: isSo ? now - 700 : oldest };
      };
      assertEquals(await due.stats(trial.bus), { waiting: 0, parked: 0, oldest: undefined });
      await trial.commit({ outbox: [trial.row({ dueAt: now + 50_000 })] });
      assertEquals(await due.stats(trial.bus), { waiting: 1, parked: 0, oldest: undefined });
      const leased = await trial.commit({ outbox: [trial.row({ dueAt: now - 300 }), trial.row({ dueAt: now - 700 })] });
      assertEquals(await stats(), { waiting: 3, parked: 0, oldest: now - 700 });
      // What is tried again later is late all the same.
      const failed = leased.filter(({ row }) => row.dueAt === now - 700);
      await due.later(failed.map((each) => ({ leased: each, dueAt: now + 50_000, error: "failed", park: false })));
      assertEquals(await stats(), { waiting: 3, parked: 0, oldest: now - 700 });
      await due.done(leased.filter(({ row }) => row.dueAt === now - 300));
      assertEquals(await stats(), { waiting: 2, parked: 0, oldest: now - 700 });
    },
  },
  {
    name: "two buses on one database send their own rows alone",
    async run(trial) {
      const other = trial.name("bus");
      const [mine, theirs] = [trial.row({ id: "same", key: "k" }), trial.row({ id: "same", key: "k" })];
      await trial.abandon({ outbox: [mine] });
      await trial.abandon({ outbox: [theirs] }, { bus: other });
      const claimed = await trial.store.outbox.claim(trial.bus, 10, 10_000);
      assertEquals(claimed.map(({ row }) => row), [mine]);
      const others = await trial.store.outbox.claim(other, 10, 10_000);
      assertEquals(others.map(({ row }) => row), [theirs]);
      await trial.store.outbox.done(claimed);
      assertEquals((await trial.store.outbox.stats(other)).waiting, 1);
      assertEquals((await trial.store.outbox.stats(trial.bus)).waiting, 0);
    },
  },
  {
    name: "many who claim at once get each row once",
    async run(trial) {
      const rows = Array.from({ length: 300 }, (_, at) => trial.row(at % 3 === 0 ? { key: `key ${at % 7}` } : {}));
      for (let at = 0; at < rows.length; at += 50) {
        await trial.commit({ outbox: rows.slice(at, at + 50) }, { leaseMs: 1 });
      }
      await trial.clock.pass(2);
      const stores = [trial.store, await trial.elsewhere(), await trial.open()];
      const claimed: string[] = [];
      await trial.settled(Promise.all(stores.map(async (store) => {
        for (let idle = 0; idle < 3;) {
          const leased = await store.outbox.claim(trial.bus, 20, 600_000);
          claimed.push(...ids(leased));
          await store.outbox.done(leased);
          if (leased.length === 0) idle++;
        }
      })));
      assertEquals(claimed.toSorted(), rows.map(({ id }) => id).toSorted());
    },
  },
  {
    name: "a row committed late is claimed, though one written after it is gone already",
    applies: ({ writers }, { own }) => own !== undefined && writers > 1,
    async run(trial) {
      const [early, late] = [trial.row(), trial.row()];
      await trial.under.own!.create();
      const slow = await trial.begin();
      await trial.under.own!.add(slow.tx, "slow");
      const quick = await trial.begin();
      await trial.store.outbox.done(await quick.commit({ sagas: [], outbox: [early], schedules: [] }));
      assertEquals(await trial.claim(), []);
      const leased = await slow.commit({ sagas: [], outbox: [late], schedules: [] });
      assertEquals(ids(leased), [late.id]);
    },
  },
];
