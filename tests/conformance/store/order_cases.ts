/** In which order rows are claimed. */
import { assertEquals } from "@std/assert";
import { ids, type StoreCase } from "./trial.ts";

export const orderCases: readonly StoreCase[] = [
  {
    name: "rows are claimed by due time, then in order of writing",
    async run(trial) {
      const now = trial.clock.now();
      const rows = [900, 700, 800, 700, 900].map((ms) => trial.row({ dueAt: now + ms }));
      await trial.commit({ outbox: rows });
      await trial.clock.pass(1_000);
      const order = [1, 3, 2, 0, 4].map((at) => rows[at]!.id);
      assertEquals(await trial.claim(2), order.slice(0, 2));
      assertEquals(await trial.claim(), order.slice(2));
    },
  },
  {
    name: "rows with and without keys are claimed in one order, whichever come first, however many at once",
    async run(trial) {
      const now = trial.clock.now();
      const keys = [undefined, undefined, undefined, "a", undefined, "b", "c", undefined, undefined, undefined];
      const rows = keys.map((key, at) => trial.row({ key, dueAt: now + 100 + at }));
      // A commit that takes longer than it is until they are due gives them to this process: not for long.
      await trial.commit({ outbox: rows }, { leaseMs: 1 });
      await trial.clock.pass(1_000);
      const claimed: string[] = [];
      for (const limit of [2, 3, 1, 2, 10]) claimed.push(...await trial.claim(limit));
      assertEquals(claimed, rows.map(({ id }) => id));
    },
  },
  {
    name: "rows of one key come back from the commit in the order in which they were listed",
    async run(trial) {
      const rows = Array.from({ length: 10 }, (_, at) => trial.row({ key: `key ${at % 2}` }));
      assertEquals(ids(await trial.commit({ outbox: rows })), rows.map(({ id }) => id));
    },
  },
  {
    name: "a commit does not give back what an unsent row of its key goes before",
    async run(trial) {
      const [a, b, c] = [trial.row({ key: "k" }), trial.row({ key: "k" }), trial.row({ key: "other" })];
      const first = await trial.commit({ outbox: [a] });
      const second = await trial.commit({ outbox: [b, c] });
      assertEquals([ids(first), ids(second)], [[a.id], [c.id]]);
      assertEquals(await trial.claim(), []);
      await trial.store.outbox.done(first);
      assertEquals(await trial.claim(), [b.id]);
    },
  },
  {
    name: "what is leased holds up its key, in every process, and no other key",
    async run(trial) {
      const rows = Array.from({ length: 4 }, () => trial.row({ key: "k" }));
      const free = trial.row({ key: "free" });
      await trial.abandon({ outbox: [...rows, free] });
      const first = await trial.store.outbox.claim(trial.bus, 2, 10_000);
      assertEquals(ids(first), [rows[0]!.id, rows[1]!.id]);
      const other = await trial.elsewhere();
      const second = await other.outbox.claim(trial.bus, 10, 10_000);
      assertEquals(ids(second), [free.id]);
      await trial.store.outbox.done([first[0]!]);
      assertEquals(await trial.claim(10, 1, other), []);
      await trial.store.outbox.done([first[1]!]);
      assertEquals(await trial.claim(10, 1_000, other), [rows[2]!.id, rows[3]!.id]);
    },
  },
  {
    name: "what is done out of order lets nothing pass what is still leased",
    async run(trial) {
      const rows = Array.from({ length: 3 }, () => trial.row({ key: "k" }));
      const leased = await trial.commit({ outbox: rows.slice(0, 2) });
      await trial.commit({ outbox: rows.slice(2) });
      await trial.store.outbox.done([leased[1]!]);
      assertEquals(await trial.claim(), []);
      await trial.store.outbox.done([leased[0]!]);
      assertEquals(await trial.claim(), [rows[2]!.id]);
    },
  },
  {
    name: "what is postponed keeps its place before its key's later rows",
    async run(trial) {
      const rows = [trial.row({ key: "k" }), trial.row({ key: "k" }), trial.row()];
      const leased = await trial.commit({ outbox: rows });
      const due = trial.clock.now() + 1_000;
      await trial.store.outbox.later(leased.map((each, at) => ({
        leased: each,
        dueAt: at === 0 ? due : 0,
        error: "failed",
        park: false,
      })));
      assertEquals(await trial.claim(10, 1), [rows[2]!.id]);
      await trial.clock.pass(1_050);
      assertEquals((await trial.claim()).filter((id) => id !== rows[2]!.id), [rows[0]!.id, rows[1]!.id]);
    },
  },
  {
    name: "what is parked or not yet due holds up nothing",
    async run(trial) {
      const later = trial.row({ key: "k", dueAt: trial.clock.now() + 1_000 });
      const [parked, free] = [trial.row({ key: "k" }), trial.row({ key: "k" })];
      const leased = await trial.commit({ outbox: [later, parked] });
      assertEquals(ids(leased), [parked.id]);
      await trial.commit({ outbox: [free] });
      await trial.store.outbox.later([{ leased: leased[0]!, dueAt: 0, error: "failed", park: true }]);
      assertEquals(await trial.claim(10, 10_000), [free.id]);
      await trial.clock.pass(1_050);
      assertEquals(await trial.claim(), []);
      assertEquals(await trial.store.outbox.unpark(trial.bus, [parked.id]), 1);
      assertEquals(await trial.claim(), []);
    },
  },
  {
    name: "a lease that ends frees the rows of a key from the first on",
    async run(trial) {
      const rows = Array.from({ length: 3 }, () => trial.row({ key: "k" }));
      await trial.commit({ outbox: [trial.row({ key: "held" }), trial.row({ key: "held" })] }, { leaseMs: 3_600_000 });
      assertEquals(await trial.claim(), []);
      await trial.commit({ outbox: rows }, { leaseMs: 1 });
      await trial.clock.pass(2);
      assertEquals(await trial.claim(1, 10_000), [rows[0]!.id]);
      assertEquals(await trial.claim(10, 10_000), []);
    },
  },
  {
    name: "rows of one key go out in order of commit with two who deliver, and units that do not overlap",
    async run(trial) {
      const stores = [trial.store, await trial.elsewhere()];
      const sent: string[] = [];
      const rows = Array.from({ length: 60 }, (_, at) => trial.row({ id: `${at}`, key: `key ${at % 3}` }));
      for (const [at, row] of rows.entries()) {
        await trial.commit({ outbox: [row] }, { leaseMs: 1 }, stores[at % 2]);
        await trial.clock.pass(2);
        if (at % 5 !== 4) continue;
        const leased = await trial.settled(
          Promise.all(stores.map((store) => store.outbox.claim(trial.bus, 3, 10_000))),
        );
        for (const [of, each] of leased.entries()) {
          sent.push(...ids(each));
          await stores[of]!.outbox.done(each);
        }
      }
      for (;;) {
        const leased = await trial.store.outbox.claim(trial.bus, 7, 10_000);
        if (leased.length === 0) break;
        sent.push(...ids(leased));
        await trial.store.outbox.done(leased);
      }
      assertEquals(sent.length, rows.length);
      for (const key of [0, 1, 2]) {
        const numbers = sent.map(Number).filter((each) => each % 3 === key);
        assertEquals(numbers, numbers.toSorted((a, b) => a - b));
      }
    },
  },
];
