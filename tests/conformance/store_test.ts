/** That the suite finds what is wrong: a store that keeps its promises, with one bug planted at a time. */
import { assert, assertRejects } from "@std/assert";
import type { Changes, OutboxRow, ScheduleRow } from "../../src/spi/rows.ts";
import type { Due, InUnit, Scope, Store, Unit } from "../../src/spi/store.ts";
import { memoryDatabase, memoryStore } from "../../stores/memory/mod.ts";
import { test } from "../support/runner.ts";
import { storeConformance } from "./store.ts";
import type { TestCase } from "./test_case.ts";
import { virtualTime } from "./test_clock.ts";

/** What a bug changes. */
interface Bug {
  readonly scope?: (scope: Scope) => Scope;
  readonly changes?: (changes: Changes) => Changes;
  readonly unit?: (unit: Unit<unknown>, scope: Scope, store: Store<unknown>) => Partial<Unit<unknown>>;
  readonly outbox?: (due: Due<OutboxRow>) => Partial<Due<OutboxRow>>;
  readonly schedules?: (due: Due<ScheduleRow>) => Partial<Due<ScheduleRow>>;
  readonly store?: (store: Store<unknown>) => Partial<Store<unknown>>;
}

function buggyUnit(unit: Unit<unknown>, bug: Bug, scope: Scope, store: Store<unknown>): Unit<unknown> {
  const outer: Unit<unknown> = {
    duplicates: unit.duplicates,
    tx: unit.tx,
    load: (saga, id, lock) => unit.load(saga, id, lock),
    find: (saga, where, after, limit) => unit.find(saga, where, after, limit),
    savepoint: (member, work) => unit.savepoint(member, work),
    commit: (changes) => unit.commit(bug.changes?.(changes) ?? changes),
    rollback: () => unit.rollback(),
  };
  return { ...outer, ...bug.unit?.(unit, scope, store) };
}

function buggyDue<Row>(due: Due<Row>, bug: ((due: Due<Row>) => Partial<Due<Row>>) | undefined): Due<Row> {
  return {
    claim: (bus, limit, leaseMs) => due.claim(bus, limit, leaseMs),
    done: (rows) => due.done(rows),
    later: (rows) => due.later(rows),
    next: (bus, signal) => due.next(bus, signal),
    stats: (bus) => due.stats(bus),
    parked: (bus, after, limit) => due.parked(bus, after, limit),
    unpark: (bus, ids) => due.unpark(bus, ids),
    discard: (bus, ids) => due.discard(bus, ids),
    ...bug?.(due),
  };
}

/** The cases against a memory store with the bug. */
function withBug(bug: Bug): readonly TestCase[] {
  return storeConformance(() => {
    const database = memoryDatabase();
    const connect = (): Store<unknown> => {
      const store: Store<unknown> = memoryStore({ database });
      const buggy: Store<unknown> = {
        name: store.name,
        capabilities: store.capabilities,
        tx(context: InUnit) {
          const open = context["~unit"];
          const own = open?.store === buggy;
          return store.tx({ "~unit": open === undefined ? undefined : { ...open, store: own ? store : open.store } });
        },
        open: (host) => store.open(host),
        deploy: (mode) => store.deploy(mode),
        migrations: () => store.migrations(),
        begin: async (scope) => buggyUnit(await store.begin(bug.scope?.(scope) ?? scope), bug, scope, store),
        sagas: store.sagas,
        outbox: buggyDue(store.outbox, bug.outbox),
        schedules: buggyDue(store.schedules, bug.schedules),
        lease: (name, owner, ms) => store.lease(name, owner, ms),
        sweep: (limit) => store.sweep(limit),
        close: () => store.close(),
        ...bug.store?.(store),
      };
      return buggy;
    };
    return Promise.resolve({ clock: virtualTime(), connect, [Symbol.asyncDispose]: () => Promise.resolve() });
  });
}

/** Some of the cases that must find it. */
const planted: readonly (readonly [what: string, bug: Bug, ...found: readonly string[]])[] = [
  [
    "no message is known as handled",
    { scope: (scope) => ({ ...scope, inbox: [] }) },
    "what a unit has handled is a duplicate from then on, and nothing else is",
    "a second unit of the same message waits for the first, and finds that it was handled",
  ],
  [
    "the inbox forgets the endpoint",
    { scope: (scope) => ({ ...scope, inbox: scope.inbox.map((key) => ({ ...key, endpoint: "" })) }) },
    "what a unit has handled is a duplicate from then on, and nothing else is",
  ],
  [
    "names run together",
    {
      scope: (scope) => ({
        ...scope,
        inbox: scope.inbox.map((key) => ({ ...key, endpoint: "", messageId: key.endpoint + key.messageId })),
      }),
    },
    "names that run together differently are different",
  ],
  [
    "buses share their rows",
    { scope: (scope) => ({ ...scope, bus: "one" }), outbox: (due) => ({ stats: () => due.stats("one") }) },
    "two buses have sagas of their own",
  ],
  [
    "a conflict writes half of it",
    {
      unit: (unit, scope, store) => ({
        async commit(changes) {
          try {
            return await unit.commit(changes);
          } catch (error) {
            await (await store.begin({ ...scope, inbox: [] })).commit({ ...changes, sagas: [] });
            throw error;
          }
        },
      }),
    },
    "a commit that conflicts writes nothing, and its message is not handled",
  ],
  [
    "an instance is overwritten",
    {
      unit: (unit, scope, store) => ({
        async commit(changes) {
          const reader = await store.begin({ ...scope, inbox: [] });
          const sagas: Changes["sagas"][number][] = [];
          for (const { before, after } of changes.sagas) {
            const { saga, id } = (before ?? after)!;
            sagas.push({ before: await reader.load(saga, id, false), after });
          }
          await reader.rollback();
          return await unit.commit({ ...changes, sagas });
        },
      }),
    },
    "two units that change one instance: the second conflicts",
    "a later instance with the same id and version is another one",
  ],
  [
    "a history is kept of what was not committed",
    {
      unit: (unit, _, store) => ({
        commit: async (changes) => {
          try {
            return await unit.commit(changes);
          } catch (error) {
            const other = await store.begin({ ..._, inbox: [] });
            const kept = changes.sagas.filter(({ history }) => history !== undefined);
            const sagas = await Promise.all(kept.map(async (change) => {
              const { saga, id } = (change.before ?? change.after)!;
              const before = await other.load(saga, id, false);
              return { ...change, before, after: before && { ...before, version: before.version } };
            }));
            await other.commit({ sagas, outbox: [], schedules: [] });
            throw error;
          }
        },
      }),
    },
    "what has happened to an instance is kept with the commit, and outlives it",
  ],
  [
    "a lock is none",
    { unit: (unit) => ({ load: (saga, id) => unit.load(saga, id, false) }) },
    "a unit that has loaded an instance with a lock is first, whoever else has loaded it meanwhile",
  ],
  [
    "a rollback commits",
    { unit: (unit) => ({ rollback: async () => void await unit.commit({ sagas: [], outbox: [], schedules: [] }) }) },
    "a rollback writes nothing, and can be said again",
    "a second unit of the same message goes on when the first rolls back",
  ],
  [
    "a unit can be used after its end",
    { unit: (unit) => ({ load: (saga, id, lock) => unit.load(saga, id, lock).catch(() => undefined) }) },
    "a rollback after a commit undoes nothing",
  ],
  [
    "a member that fails ends well",
    {
      unit: (unit) => ({
        savepoint: (member, work) => unit.savepoint(member, () => work().catch(() => undefined as never)),
      }),
    },
    "a member that fails is undone alone, and its message is not handled",
  ],
  [
    "what a commit gives back is not leased",
    { scope: (scope) => ({ ...scope, leaseMs: 0 }) },
    "a commit gives back what is due, leased: nobody else gets it until the lease ends",
    "a commit does not give back what an unsent row of its key goes before",
  ],
  [
    "keys are forgotten",
    { changes: (all) => ({ ...all, outbox: all.outbox.map((row) => ({ ...row, key: undefined })) }) },
    "what is leased holds up its key, in every process, and no other key",
    "a commit does not give back what an unsent row of its key goes before",
  ],
  [
    "the newest goes first",
    { outbox: (due) => ({ claim: async (...of) => (await due.claim(...of)).toReversed() }) },
    "rows are claimed by due time, then in order of writing",
  ],
  [
    "nothing is ever done",
    { outbox: () => ({ done: () => Promise.resolve() }) },
    "what is done is gone, and saying it twice is saying it once",
  ],
  [
    "nothing is parked",
    { outbox: (due) => ({ later: (rows) => due.later(rows.map((each) => ({ ...each, park: false }))) }) },
    "what is parked is claimed by nobody, is listed with its error, and can be freed",
    "what is parked or not yet due holds up nothing",
  ],
  [
    "all that is postponed counts",
    { outbox: (due) => ({ later: (rows) => due.later(rows.map((each) => ({ ...each, counts: true }))) }) },
    "what is postponed and does not count leaves the number of attempts as it is",
  ],
  [
    "what is postponed is free at once",
    { outbox: (due) => ({ later: (rows) => due.later(rows.map((each) => ({ ...each, dueAt: 0 }))) }) },
    "what is postponed comes again at its time and not before, and counts its attempts",
    "what is postponed keeps its place before its key's later rows",
  ],
  [
    "more is claimed than was asked for",
    { outbox: (due) => ({ claim: (bus, limit, leaseMs) => due.claim(bus, limit + 1, leaseMs) }) },
    "rows are claimed by due time, then in order of writing",
  ],
  [
    "a token does not replace",
    {
      changes: (all) => ({
        ...all,
        schedules: all.schedules.map((each) => "put" in each ? { put: { ...each.put, token: each.put.id } } : each),
      }),
    },
    "the same token replaces: message, time and all",
    "what is cancelled is gone, and cancelling what is not there is no error",
  ],
  [
    "nothing is cancelled",
    { changes: (all) => ({ ...all, schedules: all.schedules.filter((each) => "put" in each) }) },
    "what is cancelled is gone, and cancelling what is not there is no error",
    "what became due while nobody was there is claimed once by who returns, and what was cancelled stays so",
  ],
  [
    "a cancel that comes first is forgotten",
    {
      changes: (all) => ({
        ...all,
        schedules: all.schedules.map((each) => "put" in each ? each : { cancel: each.cancel }),
      }),
    },
    "what is cancelled stays out, whichever of the two units commits first, and whoever has the other",
  ],
  [
    "times are rounded to seconds",
    {
      changes: (all) => ({
        ...all,
        schedules: all.schedules.map((each) =>
          "put" in each ? { put: { ...each.put, dueAt: Math.floor(each.put.dueAt / 1000) * 1000 } } : each
        ),
      }),
    },
    "a due time years ahead is kept to the millisecond, over restarts",
  ],
  [
    "headers are kept as text",
    {
      changes: (all) => ({
        ...all,
        outbox: all.outbox.map((row) => ({
          ...row,
          frame: {
            ...row.frame,
            headers: Object.fromEntries(
              Object.entries(row.frame.headers).map(([name, value]) => [name, String(value)]),
            ),
          },
        })),
      }),
    },
    "a frame is read as it was written: native headers, bytes",
  ],
  [
    "texts are cut at NUL",
    {
      changes: (all) => ({
        ...all,
        sagas: all.sagas.map((each) =>
          each.after === undefined
            ? each
            : { ...each, after: { ...each.after, id: each.after.id.split("\0")[0] ?? "" } }
        ),
      }),
    },
    "names, ids and keys of any text are what they are: NUL characters",
    "names that differ little are different",
  ],
  [
    "a wait never waits",
    { outbox: () => ({ next: () => Promise.resolve(0) }) },
    "a wait ends when what is there becomes due, and not before",
    "a wait does not end for what its key holds up, and does when that is done",
    "another bus' rows wake nobody",
  ],
  [
    "a wait looks once",
    {
      schedules: (due) => ({
        next: async (bus, signal) => (await due.stats(bus)).oldest ?? await due.next(`${bus}other`, signal),
      }),
    },
    "a wait ends when this process writes something due, or due sooner",
  ],
  [
    "everyone gets the lease",
    { store: () => ({ lease: () => Promise.resolve({ fence: 1 }) }) },
    "a lease has one owner, who may renew it",
    "a lease that ended is another's, with a higher fence",
    "of ten that ask at once one gets it",
  ],
  [
    "sweeping only says so",
    { store: () => ({ sweep: (limit) => Promise.resolve(Math.min(limit, 3)) }) },
    "sweeping takes away what is old, at most so many, and nothing else",
  ],
  [
    "nothing is closed",
    { store: () => ({ close: () => Promise.resolve() }) },
    "after close every method rejects with ClosedError",
  ],
];

for (const [what, bug, ...found] of planted) {
  test(`the store suite finds it when ${what}`, async () => {
    const cases = withBug(bug);
    for (const name of found) {
      const each = cases.find((one) => one.name === name);
      assert(each !== undefined, `There is no case "${name}"`);
      await assertRejects(() => each.run(), Error);
    }
  });
}

test("the planted bugs are in nothing else: without one, the same store passes", async () => {
  const names = new Set(planted.flatMap(([, , ...found]) => found));
  for (const each of withBug({})) if (names.has(each.name)) await each.run();
});
