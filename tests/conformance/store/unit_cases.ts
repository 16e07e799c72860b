/** Units of work: all or nothing, and an end. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { ConflictError, TransactionEndedError } from "../../../src/errors/store.ts";
import type { Unit } from "../../../src/spi/store.ts";
import { changes, ids, type StoreCase, type Trial } from "./trial.ts";

/** All that can be done with a unit. */
function uses(unit: Unit<unknown>): readonly (() => Promise<unknown>)[] {
  return [
    () => unit.load("order", "1", false),
    () => unit.load("order", "1", true),
    () => unit.find("order", {}, undefined, 1),
    () => unit.savepoint(0, () => Promise.resolve()),
    () => unit.commit(changes({})),
  ];
}
async function assertEnded(unit: Unit<unknown>): Promise<void> {
  for (const use of uses(unit)) await assertRejects(use, TransactionEndedError);
  await unit.rollback();
}
/** One change of each kind. */
function everything(trial: Trial) {
  const [saga, row, schedule] = [trial.saga(), trial.row(), trial.schedule()];
  return {
    saga,
    row,
    all: { sagas: [{ before: undefined, after: saga }], outbox: [row], schedules: [{ put: schedule }] },
  };
}
async function assertNothing(trial: Trial): Promise<void> {
  assertEquals((await trial.store.outbox.stats(trial.bus)).waiting, 0);
  assertEquals((await trial.store.schedules.stats(trial.bus)).waiting, 0);
}

export const unitCases: readonly StoreCase[] = [
  {
    name: "a commit writes all of it",
    async run(trial) {
      const { saga, row, all } = everything(trial);
      assertEquals(ids(await trial.commit(all)), [row.id]);
      assertEquals(await trial.load(saga), saga);
      assertEquals((await trial.store.outbox.stats(trial.bus)).waiting, 1);
      assertEquals((await trial.store.schedules.stats(trial.bus)).waiting, 1);
    },
  },
  {
    name: "a commit that conflicts writes nothing, and its message is not handled",
    async run(trial) {
      const { saga, all } = everything(trial);
      const key = trial.key();
      const lost = trial.saga();
      const unit = await trial.begin({ inbox: [key] });
      await assertRejects(
        () => unit.commit(changes({ ...all, sagas: [...all.sagas, { before: lost, after: { ...lost, version: 2 } }] })),
        ConflictError,
        lost.id,
      );
      assertEquals(await trial.load(saga), undefined);
      await assertNothing(trial);
      await assertEnded(unit);
      assertEquals((await trial.begin({ inbox: [key] })).duplicates, [false]);
    },
  },
  {
    name: "a rollback writes nothing, and can be said again",
    async run(trial) {
      const key = trial.key();
      const unit = await trial.begin({ inbox: [key] });
      await Promise.all([unit.rollback(), unit.rollback()]);
      await unit.rollback();
      await assertEnded(unit);
      assertEquals((await trial.begin({ inbox: [key] })).duplicates, [false]);
    },
  },
  {
    name: "a rollback after a commit undoes nothing",
    async run(trial) {
      const { saga, all } = everything(trial);
      const unit = await trial.begin();
      await unit.commit(changes(all));
      await unit.rollback();
      assertEquals(await trial.load(saga), saga);
      await assertEnded(unit);
    },
  },
  {
    name: "a unit whose signal aborts is rolled back",
    async run(trial) {
      const key = trial.key();
      const abort = new AbortController();
      const unit = await trial.begin({ inbox: [key], signal: abort.signal });
      const next = trial.begin({ inbox: [key] });
      abort.abort(new Error("given up"));
      assertEquals((await next).duplicates, [false]);
      await assertEnded(unit);
    },
  },
  {
    name: "calls may be sent without awaiting the one before",
    async run(trial) {
      const saga = trial.saga({ index: { customer: "7" } });
      await trial.commit({ sagas: [{ before: undefined, after: saga }] });
      const unit = await trial.begin();
      const loaded = unit.load(saga.saga, saga.id, false);
      const found = unit.find(saga.saga, { customer: "7" }, undefined, 10);
      const committed = unit.commit(changes({ sagas: [{ before: saga, after: { ...saga, version: 2 } }] }));
      assertEquals(await loaded, saga);
      assertEquals(await found, [saga]);
      assertEquals(await committed, []);
      assertEquals((await trial.load(saga))?.version, 2);
    },
  },
  {
    name: "many units at once each have their effect",
    async run(trial) {
      const rows = Array.from({ length: 200 }, () => trial.row({ dueAt: 1 }));
      const leased = await Promise.all(rows.map((row) => trial.commit({ outbox: [row] }, { inbox: [trial.key()] })));
      assertEquals(leased.flatMap(ids), rows.map(({ id }) => id));
    },
  },
  {
    name: "a member that fails is undone alone, and its message is not handled",
    async run(trial) {
      const inbox = [trial.key(), trial.key(), trial.key()];
      const unit = await trial.begin({ inbox });
      assertEquals(await unit.savepoint(0, () => Promise.resolve("a")), "a");
      const failure = new Error("member 1");
      assertEquals(await assertRejects(() => unit.savepoint(1, () => Promise.reject(failure))), failure);
      assertEquals(await unit.savepoint(2, () => Promise.resolve("c")), "c");
      const row = trial.row();
      assertEquals(ids(await unit.commit(changes({ outbox: [row] }))), [row.id]);
      assertEquals((await trial.begin({ inbox })).duplicates, [true, false, true]);
    },
  },
  {
    name: "a member that failed and then succeeds is handled",
    async run(trial) {
      const key = trial.key();
      const unit = await trial.begin({ inbox: [key] });
      await assertRejects(() => unit.savepoint(0, () => Promise.reject(new Error("first"))));
      await unit.savepoint(0, () => Promise.resolve());
      await unit.commit(changes({}));
      assertEquals((await trial.begin({ inbox: [key] })).duplicates, [true]);
    },
  },
  {
    name: "members run one after the other",
    async run(trial) {
      const unit = await trial.begin({ inbox: [trial.key(), trial.key()] });
      const { promise, resolve } = Promise.withResolvers<void>();
      const order: string[] = [];
      const first = unit.savepoint(0, async () => {
        order.push("first begins");
        await promise;
        order.push("first ends");
      });
      const second = unit.savepoint(1, () => Promise.resolve(order.push("second")));
      await trial.clock.pass(0);
      assertEquals(order, ["first begins"]);
      resolve();
      await Promise.all([first, second]);
      assertEquals(order, ["first begins", "first ends", "second"]);
      await unit.commit(changes({}));
    },
  },
  {
    name: "what is written with the transaction is there with the commit, and not before",
    applies: (_, { own }) => own !== undefined,
    async run(trial) {
      const own = trial.under.own!;
      await own.create();
      const { saga, all } = everything(trial);
      const unit = await trial.begin({ inbox: [trial.key()] });
      await own.add(unit.tx, "a");
      assertEquals(await own.within(unit.tx), ["a"]);
      assertEquals(await own.all(), []);
      await unit.commit(changes(all));
      assertEquals(await own.all(), ["a"]);
      assertEquals(await trial.load(saga), saga);
    },
  },
  {
    name: "what is written with the transaction is gone with a rollback, a conflict and an abort",
    applies: (_, { own }) => own !== undefined,
    async run(trial) {
      const own = trial.under.own!;
      await own.create();
      const abort = new AbortController();
      const ends: readonly ((unit: Unit<unknown>) => Promise<unknown>)[] = [
        (unit) => unit.rollback(),
        (unit) =>
          assertRejects(
            () => unit.commit(changes({ sagas: [{ before: trial.saga(), after: undefined }] })),
            ConflictError,
          ),
        () => Promise.resolve(abort.abort(new Error("given up"))),
      ];
      for (const end of ends) {
        const unit = await trial.begin({ inbox: [trial.key()], signal: abort.signal });
        await own.add(unit.tx, "lost");
        await end(unit);
        await assertEnded(unit);
        await assertRejects(() => own.add(unit.tx, "late"), TransactionEndedError);
      }
      assertEquals(await own.all(), []);
    },
  },
  {
    name: "nothing is done with a transaction after the end, whether it was used before or not",
    applies: (_, { own }) => own !== undefined,
    async run(trial) {
      const own = trial.under.own!;
      await own.create();
      for (const used of [true, false]) {
        const unit = await trial.begin();
        const { tx } = unit;
        if (used) await own.add(tx, "kept");
        await unit.commit(changes({}));
        await assertRejects(() => own.add(tx, "late"), TransactionEndedError);
        await assertRejects(() => own.within(tx), TransactionEndedError);
        const other = await trial.begin();
        await own.add(other.tx, "other");
        await assertRejects(() => own.add(tx, "late"), TransactionEndedError);
        await other.rollback();
      }
      assertEquals(await own.all(), ["kept"]);
    },
  },
  {
    name: "what a failed member wrote is undone, and nothing else",
    applies: (_, { own }) => own !== undefined,
    async run(trial) {
      const own = trial.under.own!;
      await own.create();
      const inbox = [trial.key(), trial.key(), trial.key()];
      const unit = await trial.begin({ inbox });
      const members = ["a", "b", "c"].map((text, at) =>
        unit.savepoint(at, async () => {
          await own.add(unit.tx, text);
          if (text === "b") throw new Error("member b");
          await own.add(unit.tx, `${text}${text}`);
        })
      );
      assertEquals((await Promise.allSettled(members)).map(({ status }) => status), [
        "fulfilled",
        "rejected",
        "fulfilled",
      ]);
      await unit.commit(changes({}));
      assertEquals(await own.all(), ["a", "aa", "c", "cc"]);
      assertEquals((await trial.begin({ inbox })).duplicates, [true, false, true]);
    },
  },
  {
    name: "a unit of the only writer says since when it keeps others out; where there are more, it keeps nobody out",
    applies: (_, { own }) => own !== undefined,
    async run(trial) {
      const { store, clock, under } = trial;
      await under.own!.create();
      const unit = await trial.begin();
      assertEquals(unit.heldSince, undefined);
      const before = clock.now();
      await under.own!.add(unit.tx, "held");
      const { heldSince } = unit;
      if (store.capabilities.writers === 1) {
        assert(heldSince !== undefined && heldSince >= before && heldSince <= clock.now(), `${heldSince}`);
      } else assertEquals(heldSince, undefined);
      await unit.commit(changes({}));
      assertEquals(unit.heldSince, undefined);
      const undone = await trial.begin();
      await under.own!.add(undone.tx, "undone");
      await undone.rollback();
      assertEquals(undone.heldSince, undefined);
    },
  },
  {
    name: "a unit that uses its transaction keeps others out or finds the conflict",
    applies: (_, { own }) => own !== undefined,
    async run(trial) {
      const own = trial.under.own!;
      await own.create();
      const saga = trial.saga();
      await trial.commit({ sagas: [{ before: undefined, after: saga }] });
      const outcomes = await Promise.all(Array.from({ length: 5 }, async (_, at) => {
        const unit = await trial.begin();
        await own.add(unit.tx, String(at));
        const before = await unit.load(saga.saga, saga.id, true);
        const after = { ...before!, version: before!.version + 1 };
        try {
          await unit.commit(changes({ sagas: [{ before, after }] }));
          return at;
        } catch (error) {
          assert(error instanceof ConflictError, String(error));
          return undefined;
        }
      }));
      const won = outcomes.filter((each) => each !== undefined);
      assert(won.length > 0);
      assertEquals(await own.all(), won.map(String).toSorted());
      assertEquals((await trial.load(saga))?.version, 1 + won.length);
    },
  },
];
