/** Opening, deploying and closing. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { NoTransactionError, TransactionEndedError } from "../../../src/errors/store.ts";
import { ClosedError } from "../../../src/errors/transport.ts";
import { changes, type StoreCase } from "./trial.ts";

export const lifecycleCases: readonly StoreCase[] = [
  {
    name: "opening tells that it is up",
    async run(trial) {
      const states: string[] = [];
      const store = trial.under.connect();
      await store.open({ ...trial.host(), status: ({ state }) => states.push(state) });
      assertEquals(states.at(-1), "up");
      await store.close();
    },
  },
  {
    name: "opening rejects when its bus gives up waiting",
    async run(trial) {
      const reason = new Error("given up");
      const store = trial.under.connect();
      const error = await assertRejects(() => store.open(trial.host(AbortSignal.abort(reason))));
      assertEquals(error, reason);
      await store.close();
    },
  },
  {
    name: "before it is opened, it says what is missing",
    async run(trial) {
      const store = trial.under.connect();
      await assertRejects(() => trial.begin({}, store), Error, "not open");
      await assertRejects(() => store.outbox.claim(trial.bus, 1, 1), Error, "not open");
      await store.close();
    },
  },
  {
    name: "what was never opened can be closed, and closing twice is closing once",
    async run(trial) {
      const store = trial.under.connect();
      await store.close();
      await store.close();
      const other = await trial.open();
      await Promise.all([other.close(), other.close()]);
      await other.close();
    },
  },
  {
    name: "after close every method rejects with ClosedError",
    async run(trial) {
      const store = await trial.open();
      const [leased] = await trial.commit({ outbox: [trial.row()] }, {}, store);
      await store.close();
      const { bus } = trial;
      const { signal } = new AbortController();
      const calls: readonly (() => Promise<unknown>)[] = [
        () => store.open(trial.host()),
        () => store.deploy("plan"),
        () => trial.begin({}, store),
        () => store.lease("name", "owner", 1),
        () => store.sweep(1),
        ...[store.outbox, store.schedules].flatMap((due) => [
          () => due.claim(bus, 1, 1),
          () => due.done([]),
          () => due.later([]),
          () => due.next(bus, signal),
          () => due.stats(bus),
          () => due.parked(bus, undefined, 1),
          () => due.unpark(bus, []),
          () => due.discard(bus, []),
        ]),
        () => store.outbox.done([leased!]),
      ];
      for (const call of calls) await assertRejects(call, ClosedError);
    },
  },
  {
    name: "closing ends waits and open units",
    async run(trial) {
      const store = await trial.open();
      const key = trial.key();
      const unit = await trial.begin({ inbox: [key] }, store);
      const next = store.outbox.next(trial.name("bus"), new AbortController().signal);
      next.catch(() => {});
      await trial.clock.pass(0);
      await store.close();
      await assertRejects(() => next, ClosedError);
      await assertRejects(() => unit.commit(changes({})));
      assertEquals((await trial.begin({ inbox: [key] })).duplicates, [false]);
    },
  },
  {
    name: "a store that two buses have opened goes on until both have closed it",
    async run(trial) {
      const store = trial.under.connect();
      await store.open(trial.host());
      await store.open({ ...trial.host(), bus: trial.name("bus") });
      await store.close();
      await trial.commit({ outbox: [trial.row()] }, {}, store);
      await store.close();
      await assertRejects(() => trial.begin({}, store), ClosedError);
    },
  },
  {
    name: "applied is what was planned, twice is once, and keeps what is there",
    async run(trial) {
      assertEquals(await trial.store.deploy("plan"), []);
      const saga = trial.saga();
      await trial.commit({ sagas: [{ before: undefined, after: saga }] });
      assertEquals(await trial.store.deploy("apply"), []);
      assertEquals(await trial.store.deploy("check"), []);
      assertEquals(await trial.load(saga), saga);
    },
  },
  {
    name: "ten that deploy at once make the tables once",
    bare: true,
    async run(trial) {
      const planned = await trial.store.deploy("plan");
      const stores = await Promise.all(
        Array.from({ length: 10 }, () => trial.under.elsewhere?.() ?? trial.under.connect())
          .map((store) => trial.open(store)),
      );
      const made = await trial.settled(Promise.all(stores.map((store) => store.deploy("apply"))));
      assertEquals(made.filter((each) => each.length > 0), planned.length === 0 ? [] : [planned]);
      assertEquals(await trial.store.deploy("plan"), []);
      await trial.commit({ outbox: [trial.row()] }, {}, stores[9]);
    },
  },
  {
    name: "its scripts have ids of their own, in order",
    run(trial) {
      const found = trial.store.migrations().map(({ id }) => id);
      assertEquals(found, [...new Set(found)].sort());
      assert(trial.store.migrations().every(({ script }) => script.length > 0));
      return Promise.resolve();
    },
  },
  {
    name: "it gives the transaction of a context that has a unit of its own, and says what is missing otherwise",
    async run(trial) {
      const other = await trial.open();
      const unit = await trial.begin();
      assertEquals(trial.store.tx({ "~unit": { store: trial.store, unit } }), unit.tx);
      assertThrows(() => trial.store.tx({ "~unit": undefined }), NoTransactionError);
      assertThrows(() => other.tx({ "~unit": { store: trial.store, unit } }), NoTransactionError);
      await unit.rollback();
      await assertRejects(() => unit.load("order", "1", false), TransactionEndedError);
    },
  },
];
