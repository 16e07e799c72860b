/** Many who write and many who deliver, as processes do: over connections of their own. */
import { assertEquals } from "@std/assert";
import { seededRandom } from "../../../src/values/random.ts";
import { onPostgres } from "./opened.ts";

onPostgres(
  "whatever overlaps, no row is stuck or sent twice, and each key's rows leave in their order",
  async (opened) => {
    const stores = await Promise.all([1, 2, 3].map(() => opened.store({ max: 6 })));
    const { bench: { sql }, bus } = opened;
    const random = seededRandom(7);
    const below = (limit: number): number => Math.floor(random() * limit);
    const [keys, each] = [4, 40];
    const sent = new Map<string, number[]>(Array.from({ length: keys }, (_, key) => [`key ${key}`, []]));
    const seen = new Set<string>();
    const twice: string[] = [];
    let writing = true;
    // One after the other of a key, some in transactions that are held for a while.
    const writers = [...sent.keys()].map(async (key) => {
      for (let number = 0; number < each; number++) {
        const outbox = [opened.row({ id: `${key}/${number}`, key }), opened.row({ id: `free ${key}/${number}` })];
        const store = stores[below(3)]!;
        if (below(3) === 0) {
          await sql.begin(async (tx) => {
            await store.join(tx, opened.scope()).commit(opened.changes({ outbox }));
            await tx`SELECT pg_sleep(0.002)`;
          });
        } else {
          const unit = await store.begin(opened.scope({ leaseMs: 1, inbox: [opened.key(`${key}/${number}`)] }));
          // Nobody sends what the commit gave: the lease ends, as if the process had died.
          await unit.commit(opened.changes({ outbox }));
        }
      }
    });
    const deliverers = stores.flatMap((store) => [store, store]).map(async (store) => {
      for (let idle = 0; writing || idle < 20;) {
        const leased = await store.outbox.claim(bus, 1 + below(6), 60_000);
        if (leased.length === 0) {
          idle++;
          await opened.clock.pass(2);
          continue;
        }
        idle = 0;
        const [now, later] = [leased.slice(0, 1 + below(leased.length)), [] as typeof leased[number][]];
        later.push(...leased.slice(now.length));
        for (const { row } of now) {
          if (seen.has(row.id)) twice.push(row.id);
          seen.add(row.id);
          if (row.key !== undefined) sent.get(row.key)!.push(Number(row.id.split("/")[1]));
        }
        // Two answers at once, as a process gives them.
        const half = below(now.length + 1);
        await Promise.all([
          store.outbox.done(now.slice(half)),
          store.outbox.done(now.slice(0, half)),
          store.outbox.later(later.map((each) => ({ leased: each, dueAt: 0, error: "later", park: false }))),
        ]);
      }
    });
    await Promise.all(writers);
    writing = false;
    await Promise.all(deliverers);
    assertEquals(twice, []);
    assertEquals(await stores[0]!.outbox.stats(bus), { waiting: 0, parked: 0, oldest: undefined });
    assertEquals(seen.size, 2 * keys * each);
    for (const numbers of sent.values()) assertEquals(numbers, numbers.toSorted((a, b) => a - b));
  },
  120_000,
);

onPostgres("ten that have looked, and then deploy at once, make the tables once", async (opened) => {
  const stores = Array.from({ length: 10 }, () => opened.bench.store({ max: 1 }));
  const host = { bus: opened.bus, clock: opened.clock, signal: new AbortController().signal, status: () => {} };
  try {
    await Promise.all(stores.map((store) => store.open(host)));
    const planned = await Promise.all(stores.map((store) => store.deploy("plan")));
    assertEquals(planned.map((changes) => changes.length), stores.map((store) => store.migrations().length));
    const applied = await Promise.all(stores.map((store) => store.deploy("apply")));
    assertEquals(applied.filter((changes) => changes.length > 0).length, 1);
    assertEquals(await stores[9]!.deploy("check"), []);
  } finally {
    for (const store of stores) await store.close();
  }
});

for (const key of [undefined, "k"]) {
  const which = key === undefined ? "without" : "with";
  onPostgres(
    `a claim ${which} keys passes over rows that another transaction has locked, and waits for none`,
    async (opened) => {
      const { bench: { sql, schema }, bus } = opened;
      const store = await opened.store();
      const rows = [1, 2, 3].map((id) => opened.row({ id: String(id), key: key && `${key}${id}` }));
      await (await store.begin(opened.scope({ leaseMs: 0 }))).commit(opened.changes({ outbox: rows }));
      await sql.begin(async (tx) => {
        await tx.unsafe(`SELECT FROM "${schema}".hero_outbox WHERE id = '1' FOR UPDATE`);
        assertEquals((await store.outbox.claim(bus, 2, 60_000)).map(({ row }) => row.id), ["2", "3"]);
      });
      assertEquals((await store.outbox.claim(bus, 2, 60_000)).map(({ row }) => row.id), ["1"]);
    },
  );
}
