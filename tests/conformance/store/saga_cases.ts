/** Sagas: versions and locks. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { ConflictError } from "../../../src/errors/store.ts";
import type { SagaRow } from "../../../src/spi/rows.ts";
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
];
