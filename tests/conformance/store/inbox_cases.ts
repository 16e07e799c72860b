/** That a message has an effect once. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { DuplicateError } from "../../../src/errors/store.ts";
import { changes, ids, type StoreCase } from "./trial.ts";

export const inboxCases: readonly StoreCase[] = [
  {
    name: "what a unit has handled is a duplicate from then on, and nothing else is",
    async run(trial) {
      const [one, other] = [trial.key(), trial.key()];
      await trial.commit({}, { inbox: [one] });
      const unit = await trial.begin({ inbox: [other, one, { ...one, endpoint: "another" }] });
      assertEquals(unit.duplicates, [false, true, false]);
      await unit.commit(changes({}));
      assertEquals((await trial.begin({ inbox: [one, other] })).duplicates, [true, true]);
      assertEquals((await trial.begin({ inbox: [one], bus: trial.name("bus") })).duplicates, [false]);
    },
  },
  {
    name: "a message that is there twice in one unit is a duplicate the second time",
    async run(trial) {
      const key = trial.key();
      const unit = await trial.begin({ inbox: [key, key] });
      assertEquals(unit.duplicates, [false, true]);
      await unit.commit(changes({}));
      assertEquals((await trial.begin({ inbox: [key] })).duplicates, [true]);
    },
  },
  {
    name: "a second unit of the same message waits for the first, and finds that it was handled",
    async run(trial) {
      const key = trial.key();
      const first = await trial.begin({ inbox: [key] });
      const others = [1, 2].map(() => trial.begin({ inbox: [key] }));
      assert(await trial.pending(Promise.race(others)));
      const row = trial.row();
      assertEquals(ids(await first.commit(changes({ outbox: [row] }))), [row.id]);
      const [second] = await Promise.race(others.map(async (each) => [await each] as const));
      assertEquals(second!.duplicates, [true]);
      await second!.rollback();
      for (const each of others) {
        const unit = await each;
        assertEquals(unit.duplicates, [true]);
        await unit.rollback();
      }
    },
  },
  {
    name: "a second unit of the same message goes on when the first rolls back",
    async run(trial) {
      const key = trial.key();
      const first = await trial.begin({ inbox: [trial.key(), key] });
      const second = trial.begin({ inbox: [key, trial.key()] });
      assert(await trial.pending(second));
      await first.rollback();
      const unit = await second;
      assertEquals(unit.duplicates, [false, false]);
      await unit.commit(changes({}));
    },
  },
  {
    name: "what was foreseen is a duplicate once it was handled here, whenever that was",
    async run(trial) {
      const [before, during, after, again] = [trial.key(), trial.key(), trial.key(), trial.key()];
      const foresee = () => trial.store.foresee?.(trial.bus, [before, during, after, again]);
      await trial.commit({}, { inbox: [before] });
      const open = await trial.begin({ inbox: [during] });
      foresee();
      await open.commit(changes({}));
      for (const inbox of [[after], [again]]) {
        const unit = await trial.begin({ inbox });
        assertEquals(unit.duplicates, [false]);
        if (inbox[0] === after) await unit.commit(changes({}));
        else await unit.rollback();
      }
      foresee();
      const unit = await trial.begin({ inbox: [before, during, after, again] });
      assertEquals(unit.duplicates, [true, true, true, false]);
      await unit.rollback();
    },
  },
  {
    name: "units of several messages each do not wait for one another for ever",
    async run(trial) {
      const keys = [trial.key(), trial.key(), trial.key()];
      const orders = [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]];
      const handled = await Promise.all(orders.map(async (order) => {
        const unit = await trial.begin({ inbox: order.map((at) => keys[at]!) });
        const fresh = unit.duplicates.filter((duplicate) => !duplicate).length;
        await unit.commit(changes({}));
        return fresh;
      }));
      assertEquals(handled.toSorted(), [0, 0, 0, 3]);
    },
  },
  {
    name: "a wait for another unit ends with the signal, and frees nothing that it does not hold",
    async run(trial) {
      const key = trial.key();
      const first = await trial.begin({ inbox: [key] });
      const abort = new AbortController();
      const second = trial.begin({ inbox: [key], signal: abort.signal });
      const third = trial.begin({ inbox: [key] });
      assert(await trial.pending(second));
      const reason = new Error("no more");
      abort.abort(reason);
      assertEquals(await assertRejects(() => second), reason);
      assert(await trial.pending(third));
      await first.rollback();
      await (await third).rollback();
      assertEquals(await assertRejects(() => trial.begin({ inbox: [key], signal: abort.signal })), reason);
    },
  },
  {
    name: "a message that another process handled first is a DuplicateError, and nothing is written",
    applies: (_, { elsewhere }) => elsewhere !== undefined,
    async run(trial) {
      const key = trial.key();
      const other = await trial.elsewhere();
      const [mine, theirs] = [
        await trial.begin({ inbox: [key] }),
        await trial.begin({ inbox: [key], leaseMs: 50 }, other),
      ];
      assertEquals([mine.duplicates, theirs.duplicates], [[false], [false]]);
      const rows = [trial.row(), trial.row()];
      await theirs.commit(changes({ outbox: [rows[1]!] }));
      const saga = trial.saga();
      await assertRejects(
        () => mine.commit(changes({ outbox: [rows[0]!], sagas: [{ before: undefined, after: saga }] })),
        DuplicateError,
        key.messageId,
      );
      assertEquals(await trial.load(saga), undefined);
      await trial.clock.pass(100);
      assertEquals(await trial.claim(), [rows[1]!.id]);
    },
  },
  {
    name: "what one process has handled, another finds",
    async run(trial) {
      const key = trial.key();
      await trial.commit({}, { inbox: [key] });
      const other = await trial.elsewhere();
      assertEquals((await trial.begin({ inbox: [key] }, other)).duplicates, [true]);
    },
  },
  {
    name: "sweeping takes away what is old, at most so many, and nothing else",
    async run(trial) {
      const now = trial.clock.now();
      const old = [1, 2, 3].map((ms) => ({ ...trial.key(), keepUntil: now + ms }));
      const kept = { ...trial.key(), keepUntil: now + 3_600_000 };
      await trial.commit({}, { inbox: [...old, kept] });
      await trial.clock.pass(1_000);
      let swept = await trial.store.sweep(2);
      assert(swept <= 2);
      swept += await trial.store.sweep(1_000);
      swept += await trial.store.sweep(1_000);
      assert(swept === 3 || swept === 0, `${swept} were swept`);
      const { duplicates } = await trial.begin({ inbox: [...old, kept] });
      assertEquals(duplicates.at(-1), true);
      if (swept > 0) assertEquals(duplicates, [false, false, false, true]);
    },
  },
];
