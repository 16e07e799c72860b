/** The outbox against the words of its interface, followed by the letter, at random. */
import { assertEquals } from "@std/assert";
import type { OutboxRow } from "../../../src/spi/rows.ts";
import type { Leased } from "../../../src/spi/store.ts";
import { type Random, seededRandom } from "../../../src/values/random.ts";
import { ids, type StoreCase, type Trial } from "./trial.ts";

interface ModelRow {
  readonly id: string;
  readonly key: string | undefined;
  readonly sequence: number;
  dueAt: number;
  freeAt: number;
  fence: number;
  attempts: number;
  parked: boolean;
}

/** What the interface says, with nothing but lists. */
class Model {
  readonly rows: ModelRow[] = [];
  #written = 0;

  /** The ids that the commit leases. */
  commit(written: readonly OutboxRow[], leaseMs: number, now: number): readonly string[] {
    const fresh: ModelRow[] = [];
    for (const { id, key, dueAt } of written) {
      if (this.rows.some((row) => row.id === id)) continue;
      const at = dueAt === 0 ? now : dueAt;
      const row = { id, key, sequence: ++this.#written, dueAt: at, freeAt: at, fence: 0, attempts: 0, parked: false };
      this.rows.push(row);
      fresh.push(row);
    }
    const mine = new Set<ModelRow>();
    for (const row of sorted(fresh)) {
      const held = this.#before(row).some((earlier) => !mine.has(earlier));
      if (row.dueAt <= now && !held) mine.add(row);
    }
    for (const row of mine) this.#lease(row, now + leaseMs);
    return [...mine].map(({ id }) => id);
  }

  claim(limit: number, leaseMs: number, now: number): readonly string[] {
    const taken = new Set<ModelRow>();
    for (const row of sorted(this.rows)) {
      if (taken.size === limit) break;
      if (row.parked || row.dueAt > now || row.freeAt > now) continue;
      if (this.#before(row).every((earlier) => taken.has(earlier))) taken.add(row);
    }
    for (const row of taken) this.#lease(row, now + leaseMs);
    return [...taken].map(({ id }) => id);
  }

  done({ row: { id }, fence }: Leased<OutboxRow>): void {
    const at = this.rows.findIndex((row) => row.id === id && row.fence === fence && !row.parked);
    if (at >= 0) this.rows.splice(at, 1);
  }

  later({ row: { id }, fence }: Leased<OutboxRow>, freeAt: number, park: boolean, counts: boolean): void {
    const row = this.rows.find((row) => row.id === id && row.fence === fence && !row.parked);
    if (row === undefined) return;
    row.fence = Infinity; // nobody's, until it is claimed again
    if (counts) row.attempts++;
    row.freeAt = freeAt;
    row.parked = park;
  }

  unpark(all: readonly string[], now: number): number {
    const parked = this.rows.filter((row) => row.parked && all.includes(row.id));
    for (const row of parked) Object.assign(row, { parked: false, dueAt: now, freeAt: now, attempts: 0 });
    return parked.length;
  }

  discard(all: readonly string[]): number {
    const parked = this.rows.filter((row) => row.parked && all.includes(row.id));
    for (const row of parked) this.rows.splice(this.rows.indexOf(row), 1);
    return parked.length;
  }

  /** Sets the fences to what the store says: only that they are new matters. */
  claimed(leased: readonly Leased<OutboxRow>[]): void {
    for (const { row: { id }, fence } of leased) this.rows.find((row) => row.id === id)!.fence = fence;
  }

  #before(row: ModelRow): readonly ModelRow[] {
    if (row.key === undefined) return [];
    return this.rows.filter((other) => other.key === row.key && !other.parked && before(other, row));
  }

  #lease(row: ModelRow, until: number): void {
    row.freeAt = until;
  }
}

function before(a: ModelRow, b: ModelRow): boolean {
  return a.dueAt < b.dueAt || (a.dueAt === b.dueAt && a.sequence < b.sequence);
}
function sorted(rows: readonly ModelRow[]): readonly ModelRow[] {
  return rows.toSorted((a, b) => before(a, b) ? -1 : 1);
}

/** Does the same with both, and compares what comes of it. */
async function compare(trial: Trial, random: Random, steps: number): Promise<void> {
  const model = new Model();
  const due = trial.store.outbox;
  const below = (limit: number): number => Math.floor(random() * limit);
  const held: Leased<OutboxRow>[] = [];
  const take = (leased: readonly Leased<OutboxRow>[]): void => {
    model.claimed(leased);
    held.push(...leased);
  };
  for (let step = 0; step < steps; step++) {
    const now = trial.clock.now();
    const chance = random();
    if (chance < 0.3) {
      const written = Array.from({ length: 1 + below(4) }, () =>
        trial.row({
          key: random() < 0.2 ? undefined : `key ${below(3)}`,
          dueAt: [0, 0, now - below(50), now + below(100)][below(4)]!,
          ...random() < 0.1 && model.rows.length > 0 ? { id: model.rows[below(model.rows.length)]!.id } : {},
        }));
      const leased = await trial.commit({ outbox: written }, { leaseMs: 40 });
      assertEquals(ids(leased).toSorted(), model.commit(written, 40, now).toSorted(), `step ${step}: commit`);
      take(leased);
    } else if (chance < 0.55) {
      const limit = 1 + below(5);
      const leased = await due.claim(trial.bus, limit, 60);
      assertEquals(ids(leased), model.claim(limit, 60, now), `step ${step}: claim`);
      for (const { row, attempts } of leased) {
        assertEquals(attempts, model.rows.find(({ id }) => id === row.id)?.attempts, `step ${step}: attempts`);
      }
      take(leased);
    } else if (chance < 0.7 && held.length > 0) {
      // Some are long over, and some said before.
      const leased = Array.from({ length: 1 + below(3) }, () => held[below(held.length)]!);
      await due.done(leased);
      for (const each of leased) model.done(each);
    } else if (chance < 0.82 && held.length > 0) {
      const leased = held[below(held.length)]!;
      const [dueAt, park] = [now + below(80), random() < 0.4];
      const counts = dueAt % 3 > 0;
      await due.later([{ leased, dueAt, error: "failed", park, counts }]);
      model.later(leased, dueAt, park, counts);
    } else if (chance < 0.88) {
      const all = model.rows.filter(() => random() < 0.3).map(({ id }) => id);
      assertEquals(await due.unpark(trial.bus, all), model.unpark(all, now), `step ${step}: unpark`);
    } else if (chance < 0.9) {
      const all = model.rows.filter(() => random() < 0.3).map(({ id }) => id);
      assertEquals(await due.discard(trial.bus, all), model.discard(all), `step ${step}: discard`);
    } else await trial.clock.pass(below(50));
    const parked = model.rows.filter((row) => row.parked);
    const overdue = model.rows.filter((row) => !row.parked && row.dueAt <= trial.clock.now());
    assertEquals(await due.stats(trial.bus), {
      waiting: model.rows.length - parked.length,
      parked: parked.length,
      oldest: overdue.length === 0 ? undefined : Math.min(...overdue.map(({ dueAt }) => dueAt)),
    }, `step ${step}: stats`);
  }
}

export const modelCases: readonly StoreCase[] = [1, 2, 3, 4, 5].map((seed) => ({
  name: `whatever is done with the outbox, it does what its interface says (seed ${seed})`,
  applies: (_, { clock }) => clock.virtual,
  run: (trial) => compare(trial, seededRandom(seed), 600),
}));
