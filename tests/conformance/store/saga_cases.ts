/** Sagas: versions, locks, indexes. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { ConflictError } from "../../../src/errors/store.ts";
import type { SagaHistoryRow, SagaRow } from "../../../src/spi/rows.ts";
import { changes, type StoreCase } from "./trial.ts";

export const sagaCases: readonly StoreCase[] = [
  {
    name: "an instance that is not there is undefined",
    async run(trial) {
      const unit = await trial.begin();
      assertEquals(await unit.load("order", trial.name("saga"), false), undefined);
      assertEquals(await unit.load("order", trial.name("saga"), true), undefined);
      assertEquals(await unit.find(trial.name("saga"), {}, undefined, 10), []);
      await unit.rollback();
    },
  },
  {
    name: "an instance is loaded as it was written, changed and deleted",
    async run(trial) {
      const first = trial.saga({
        data: new Uint8Array([0, 255, 1]),
        types: "at=date",
        index: { customer: "7" },
        schema: 3,
        state: "a.b",
      });
      await trial.commit({ sagas: [{ before: undefined, after: first }] });
      assertEquals(await trial.load(first), first);
      const second = { ...first, version: 2, types: undefined, index: {}, data: new Uint8Array() };
      await trial.commit({ sagas: [{ before: first, after: second }] });
      assertEquals(await trial.load(first), second);
      await trial.commit({ sagas: [{ before: second, after: undefined }] });
      assertEquals(await trial.load(first), undefined);
    },
  },
  {
    name: "a store that says that it keeps rows gives the very objects that were committed",
    applies: ({ keepsRows }) => keepsRows === true,
    async run(trial) {
      const saga = trial.saga();
      await trial.commit({ sagas: [{ before: undefined, after: saga }] });
      const unit = await trial.begin();
      assert(await unit.load(saga.saga, saga.id, false) === saga);
      assert((await unit.find(saga.saga, {}, undefined, 1))[0] === saga);
      await unit.rollback();
    },
  },
  {
    name: "two units that change one instance: the second conflicts",
    async run(trial) {
      const saga = trial.saga();
      await trial.commit({ sagas: [{ before: undefined, after: saga }] });
      const units = [await trial.begin(), await trial.begin({}, await trial.elsewhere())];
      const loaded = await Promise.all(units.map((unit) => unit.load(saga.saga, saga.id, false)));
      await units[0]!.commit(
        changes({ sagas: [{ before: loaded[0]!, after: { ...saga, version: 2, state: "first" } }] }),
      );
      await assertRejects(
        () =>
          units[1]!.commit(
            changes({ sagas: [{ before: loaded[1]!, after: { ...saga, version: 2, state: "second" } }] }),
          ),
        ConflictError,
      );
      assertEquals((await trial.load(saga))?.state, "first");
      const unit = await trial.begin();
      await assertRejects(() => unit.commit(changes({ sagas: [{ before: saga, after: undefined }] })), ConflictError);
    },
  },
  {
    name: "what a unit says that it will load is loaded, changed and found changed as anything else",
    async run(trial) {
      const [there, missing] = [trial.saga(), trial.saga()];
      await trial.commit({ sagas: [{ before: undefined, after: there }] });
      const instances = () => [there, missing];
      const begin = async (store = trial.store) => {
        const inbox = [trial.key()];
        const unit = await trial.begin({ inbox, instances }, store);
        assertEquals(unit.duplicates, [false]);
        const [first, second] = [
          await unit.load(there.saga, there.id, false),
          await unit.load(missing.saga, missing.id, false),
        ];
        assertEquals([first, second], [there, undefined]);
        return unit;
      };
      const units = [await begin(), await begin(await trial.elsewhere())];
      const sagas = [
        { before: there, after: { ...there, version: 2, state: "first" } },
        { before: undefined, after: missing },
      ];
      await units[0]!.commit(changes({ sagas }));
      await assertRejects(() => units[1]!.commit(changes({ sagas })), ConflictError);
      assertEquals([(await trial.load(there))?.state, await trial.load(missing)], ["first", missing]);
    },
  },
  {
    name: "of many that make one instance at once, one does, and the others load it",
    async run(trial) {
      const id = trial.name("saga");
      const stores = [trial.store, await trial.elsewhere()];
      const outcomes = await trial.settled(Promise.all(Array.from({ length: 20 }, async (_, at) => {
        const unit = await trial.begin({}, stores[at % 2]);
        await unit.load("order", id, false);
        const after = trial.saga({ id, state: String(at) });
        return await unit.commit(changes({ sagas: [{ before: undefined, after }] })).then(
          () => String(at),
          (error: unknown) => {
            assert(error instanceof ConflictError, String(error));
            return undefined;
          },
        );
      })));
      const won = outcomes.filter((each) => each !== undefined);
      assertEquals(won.length, 1);
      assertEquals((await trial.load({ saga: "order", id }))?.state, won[0]);
    },
  },
  {
    name: "a later instance with the same id and version is another one",
    async run(trial) {
      const first = trial.saga();
      await trial.commit({ sagas: [{ before: undefined, after: first }] });
      await trial.commit({ sagas: [{ before: first, after: undefined }] });
      const second = trial.saga({ id: first.id });
      await trial.commit({ sagas: [{ before: undefined, after: second }] });
      const unit = await trial.begin();
      await assertRejects(
        () => unit.commit(changes({ sagas: [{ before: first, after: { ...first, version: 2 } }] })),
        ConflictError,
      );
      assertEquals((await trial.load(first))?.incarnation, second.incarnation);
    },
  },
  {
    name: "a hundred units that load with a lock and change one instance all have their effect in the end",
    async run(trial) {
      const saga = trial.saga({ data: new Uint8Array([0]) });
      await trial.commit({ sagas: [{ before: undefined, after: saga }] });
      let conflicts = 0;
      const stores = [trial.store, await trial.elsewhere()];
      await trial.settled(Promise.all(Array.from({ length: 100 }, async (_, at) => {
        for (;;) {
          const unit = await trial.begin({}, stores[at % 2]);
          const before = await unit.load(saga.saga, saga.id, true);
          await Promise.resolve();
          const after = { ...before!, version: before!.version + 1, data: new Uint8Array([before!.data[0]! + 1]) };
          try {
            await unit.commit(changes({ sagas: [{ before, after }] }));
            return;
          } catch (error) {
            assert(error instanceof ConflictError, String(error));
            assert(++conflicts < 5_000, "Conflicts without end");
          }
        }
      })));
      const now = await trial.load(saga);
      assertEquals([now?.version, now?.data[0]], [101, 100]);
    },
  },
  {
    name: "a unit that has loaded an instance with a lock is first, whoever else has loaded it meanwhile",
    async run(trial) {
      const saga = trial.saga();
      await trial.commit({ sagas: [{ before: undefined, after: saga }] });
      for (const store of [trial.store, await trial.elsewhere()]) {
        const first = await trial.begin();
        const before = await first.load(saga.saga, saga.id, true);
        const second = await trial.begin({}, store);
        const seen = await second.load(saga.saga, saga.id, false);
        assertEquals(seen, before);
        const late = second.commit(changes({ sagas: [{ before: seen, after: { ...seen!, version: 9 } }] }))
          .then(() => "committed", (error: unknown) => error);
        await trial.clock.pass(10);
        await first.commit(changes({ sagas: [{ before, after: { ...before!, version: before!.version + 1 } }] }));
        const outcome = await trial.settled(late);
        assert(outcome instanceof ConflictError, String(outcome));
      }
      assertEquals((await trial.load(saga))?.version, 3);
    },
  },
  {
    name: "units that lock two instances in opposite orders both end",
    async run(trial) {
      const sagas = [trial.saga(), trial.saga()];
      await trial.commit({ sagas: sagas.map((after) => ({ before: undefined, after })) });
      await trial.settled(Promise.all([[0, 1], [1, 0]].map(async (order) => {
        for (;;) {
          const unit = await trial.begin();
          const loaded: SagaRow[] = [];
          try {
            for (const at of order) {
              loaded.push((await unit.load("order", sagas[at]!.id, true))!);
              await trial.clock.pass(0);
            }
            const all = loaded.map((before) => ({ before, after: { ...before, version: before.version + 1 } }));
            await unit.commit(changes({ sagas: all }));
            return;
          } catch (error) {
            // A database that sees a deadlock may end it where the second is loaded.
            assert(error instanceof ConflictError, String(error));
            await unit.rollback();
          }
        }
      })));
      for (const saga of sagas) assertEquals((await trial.load(saga))?.version, 3);
    },
  },
  {
    name: "instances are found by all indexes exactly, in order of their ids, a page at a time",
    applies: ({ query }) => query === "indexed",
    async run(trial) {
      const name = trial.name("saga");
      const rows = Array.from({ length: 25 }, (_, at) =>
        trial.saga({
          saga: name,
          id: `id-${String(at).padStart(2, "0")}`,
          index: { customer: at % 2 === 0 ? "even" : "odd", region: at < 20 ? "north" : "south" },
        }));
      await trial.commit({ sagas: rows.map((after) => ({ before: undefined, after })) });
      const unit = await trial.begin();
      const find = async (where: Readonly<Record<string, string>>, after?: string, limit = 100) =>
        (await unit.find(name, where, after, limit)).map(({ id }) => id);
      const even = rows.filter((_, at) => at % 2 === 0).map(({ id }) => id);
      assertEquals(await find({ customer: "even" }), even);
      assertEquals(await find({ customer: "even" }, undefined, 5), even.slice(0, 5));
      assertEquals(await find({ customer: "even" }, even[4], 5), even.slice(5, 10));
      assertEquals(await find({ customer: "even" }, even[12]), []);
      assertEquals(await find({ customer: "even", region: "south" }), ["id-20", "id-22", "id-24"]);
      assertEquals(await find({}), rows.map(({ id }) => id));
      assertEquals(await find({ customer: "eve" }), []);
      assertEquals(await find({ customer: "EVEN" }), []);
      assertEquals(await find({ nothing: "even" }), []);
      assertEquals(await unit.find(trial.name("saga"), { customer: "even" }, undefined, 10), []);
      const [found] = await unit.find(name, { customer: "odd" }, undefined, 1);
      assertEquals(found, rows[1]);
      await unit.rollback();
    },
  },
  {
    name: "an instance is found by what its indexes are now, and not by what they were",
    applies: ({ query }) => query === "indexed",
    async run(trial) {
      const first = trial.saga({ index: { customer: trial.name("a"), gone: "x" } });
      const second = { ...first, version: 2, index: { customer: trial.name("b") } };
      await trial.commit({ sagas: [{ before: undefined, after: first }] });
      await trial.commit({ sagas: [{ before: first, after: second }] });
      const unit = await trial.begin();
      assertEquals(await unit.find("order", first.index, undefined, 10), []);
      assertEquals(await unit.find("order", { gone: "x" }, undefined, 10), []);
      assertEquals(await unit.find("order", second.index, undefined, 10), [second]);
      await unit.commit(changes({ sagas: [{ before: second, after: undefined }] }));
      const after = await trial.begin();
      assertEquals(await after.find("order", second.index, undefined, 10), []);
      await after.rollback();
    },
  },
  {
    name: "instances are counted, all or those in a state",
    async run(trial) {
      const saga = trial.name("saga");
      const count = (state?: string) => trial.store.sagas.count(trial.bus, saga, state);
      assertEquals([await count(), await count("placed")], [0, 0]);
      const rows = Array.from({ length: 7 }, (_, at) => trial.saga({ saga, state: at < 3 ? "placed" : "paid" }));
      await trial.commit({ sagas: rows.map((after) => ({ before: undefined, after })) });
      await trial.commit({ sagas: [{ before: undefined, after: trial.saga({ saga: trial.name("saga") }) }] });
      assertEquals([await count(), await count("placed"), await count("paid"), await count("")], [7, 3, 4, 0]);
      await trial.commit({ sagas: [{ before: rows[0], after: undefined }] });
      assertEquals([await count(), await count("placed")], [6, 2]);
      assertEquals(await trial.store.sagas.count(trial.name("bus"), saga, undefined), 0);
    },
  },
  {
    name: "what has happened to an instance is kept with the commit, and outlives it",
    async run(trial) {
      const saga = trial.saga();
      const { id, incarnation } = saga;
      const happened = (version: number, text: string): SagaHistoryRow => ({
        saga: saga.saga,
        id,
        incarnation,
        version,
        at: trial.clock.now(),
        data: new TextEncoder().encode(text),
        types: version === 2 ? "at=date" : undefined,
      });
      const rows = [happened(1, "placed"), happened(2, "paid \u0000"), happened(3, ""), happened(3, "gone")];
      const second = { ...saga, version: 2 };
      const history = (after?: number, limit = 10) => trial.store.sagas.history(trial.bus, saga.saga, id, after, limit);
      assertEquals(await history(), []);
      await trial.commit({ sagas: [{ before: undefined, after: saga, history: rows.slice(0, 1) }] });
      await trial.commit({ sagas: [{ before: saga, after: second, history: rows.slice(1, 2) }] });
      await trial.commit({ sagas: [{ before: undefined, after: trial.saga() }] });
      await assertRejects(
        () => trial.commit({ sagas: [{ before: saga, after: second, history: [happened(9, "too late")] }] }),
        ConflictError,
      );
      await trial.commit({ sagas: [{ before: second, after: undefined, history: rows.slice(2) }] });
      rows.push(happened(1, "over at once"));
      await trial.commit({ sagas: [{ before: undefined, after: undefined, history: rows.slice(4) }] });
      const all = await history();
      assertEquals(all.map(({ row }) => row), rows);
      assertEquals((await history(undefined, 2)).map(({ row }) => row), rows.slice(0, 2));
      assertEquals((await history(all[1]?.place)).map(({ row }) => row), rows.slice(2));
      assertEquals(await trial.store.sagas.history(trial.name("bus"), saga.saga, id, undefined, 10), []);
      assertEquals(await trial.store.sagas.history(trial.bus, "other", id, undefined, 10), []);
    },
  },
  {
    name: "two buses have sagas of their own",
    async run(trial) {
      const saga = trial.saga({ index: { customer: "7" } });
      const other = { bus: trial.name("bus") };
      await trial.commit({ sagas: [{ before: undefined, after: saga }] });
      const unit = await trial.begin(other);
      assertEquals(await unit.load(saga.saga, saga.id, true), undefined);
      if (trial.store.capabilities.query === "indexed") {
        assertEquals(await unit.find(saga.saga, { customer: "7" }, undefined, 10), []);
      }
      const theirs = trial.saga({ id: saga.id, state: "theirs" });
      await unit.commit(changes({ sagas: [{ before: undefined, after: theirs }] }));
      assertEquals((await trial.load(saga))?.state, "placed");
    },
  },
];
