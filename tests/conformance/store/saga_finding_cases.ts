/** Sagas: what is found of them, and what has happened to them. */
import { assertEquals, assertRejects } from "@std/assert";
import { ConflictError } from "../../../src/errors/store.ts";
import type { SagaHistoryRow } from "../../../src/spi/rows.ts";
import { changes, type StoreCase } from "./trial.ts";

export const sagaFindingCases: readonly StoreCase[] = [
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
    name: "what has happened is forgotten by id or by age, a bounded number at once, and no more than that",
    async run(trial) {
      const [one, other] = [trial.saga(), trial.saga({ id: "other \u0000" })];
      const at = trial.clock.now();
      const happened = ({ saga, id, incarnation }: typeof one, version: number): SagaHistoryRow => ({
        saga,
        id,
        incarnation,
        version,
        at: at + version * 1_000.5,
        data: new Uint8Array(),
        types: undefined,
      });
      const keep = async (saga: typeof one, ...versions: readonly number[]) => {
        const history = versions.map((version) => happened(saga, version));
        await trial.commit({ sagas: [{ before: undefined, after: undefined, history }] });
      };
      const { sagas } = trial.store;
      const left = async (saga: typeof one, after?: number) =>
        (await sagas.history(trial.bus, saga.saga, saga.id, after, 10)).map(({ row }) => row.version);
      await keep(one, 1, 2, 3);
      await keep(other, 1, 4);
      await keep({ ...one, saga: "third" }, 1);
      const [, second] = await sagas.history(trial.bus, one.saga, one.id, undefined, 10);
      const forget = (which: Parameters<typeof sagas.forget>[2], limit = 10) =>
        sagas.forget(trial.bus, one.saga, which, limit);
      assertEquals(await sagas.forget(trial.name("bus"), one.saga, { before: at + 10_000 }, 10), 0);
      assertEquals(await forget({ before: at + 2 * 1_000.5 }, 1), 1);
      assertEquals(await forget({ before: at + 2 * 1_000.5 }), 1);
      assertEquals(await forget({ before: at + 2 * 1_000.5 }), 0);
      assertEquals([await left(one), await left(other)], [[2, 3], [4]]);
      assertEquals(await left(one, second?.place), [3], "places stay");
      assertEquals([await forget({ id: one.id }, 1), await forget({ id: one.id }), await forget({ id: one.id })], [
        1,
        1,
        0,
      ]);
      assertEquals([await left(one), await left(other), await left({ ...one, saga: "third" })], [[], [4], [1]]);
      await keep(one, 5);
      assertEquals(await left(one, second?.place), [5], "places grow");
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
