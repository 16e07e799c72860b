/** What is due, as one store sees it. @module */
import type { OutboxRow } from "../../src/spi/rows.ts";
import type { Due, Leased, Parked, Postponed } from "../../src/spi/store.ts";
import type { Database, Results } from "./database.ts";
import type { DueTable } from "./due_table.ts";
import { explainOwn } from "./errors.ts";
import type { Statement } from "./statement.ts";
import { notice, type Wake, type Wakes } from "./wakes.ts";

/** How often a claim goes on that finds only rows which have to wait. */
const mostRounds = 50;

/** Deletes of fewer rows than this are so far apart: each is planned anew, whatever it deletes. */
const fewRows = 64;
const fewEveryMs = 20;

/** A store that is open. */
export interface Session {
  readonly database: Pick<Database<unknown>, "query" | "write" | "clock" | "end">;
  readonly wakes: Wakes;
  /** How often is looked, though nobody says that there is anything. */
  readonly pollMs: number;
  /** Has the database say something to all who listen. */
  say(text: string): Promise<unknown>;
}

/** One store's outbox, or its schedules. */
export class PostgresDue<Row extends OutboxRow> implements Due<Row> {
  readonly #table: DueTable<Row>;
  readonly #session: (doing: string) => Session;
  /** Whether what comes first has a key, as the last claim saw it: that one is the dearer. */
  #keyed = false;
  /** When the last rows were deleted. */
  #doneAt = -Infinity;

  /** @param session throws unless the store is open */
  constructor(table: DueTable<Row>, session: (doing: string) => Session) {
    this.#table = table;
    this.#session = session;
  }

  async claim(bus: string, limit: number, leaseMs: number): Promise<readonly Leased<Row>[]> {
    const { database } = this.#session("claim");
    if (limit < 1) return [];
    for (let rounds = 1;; rounds++) {
      const free = !this.#keyed;
      const until = database.clock.now() + leaseMs;
      const found = this.#table.claimed(await database.query(this.#table.claim(bus, limit, leaseMs, free)), until);
      const { leased, cancelled, waiting } = found;
      const none = leased.length + cancelled.length === 0;
      this.#keyed = free ? none : waiting > 0 || leased.some(({ row }) => row.key !== undefined);
      // There may be some with keys.
      if (free && none) continue;
      await this.done(cancelled);
      // What only waits may have stood before what does not; now it is known, and no longer in the way. So may what is
      // gone.
      if (leased.length > 0 || waiting + cancelled.length === 0 || rounds === mostRounds) return leased;
    }
  }

  async done(rows: readonly Leased<Row>[]): Promise<void> {
    const session = this.#session("say what is done");
    if (rows.length === 0) return;
    // None waits for one without a key. Whoever says what is done says, after this, all that was done meanwhile.
    if (rows.length < fewRows && rows.every(({ row }) => row.key === undefined)) await this.#space(session);
    if (await this.#finish(session, this.#table.done(rows))) this.#freed(session);
  }

  async later(rows: readonly Postponed<Row>[]): Promise<void> {
    const session = this.#session("postpone");
    if (rows.length === 0) return;
    await this.#finish(session, this.#table.later(rows, session.database.clock.now()));
    this.#freed(session);
  }

  async next(bus: string, signal: AbortSignal): Promise<number> {
    const { database, wakes, pollMs } = this.#session("wait");
    const { clock, end } = database;
    const timers = clock.background ?? clock;
    const ends = AbortSignal.any([signal, end]);
    ends.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    let armedFor = Infinity;
    let disarm: (() => void) | undefined;
    let looking = false;
    const arm = (at: number): void => {
      if (at >= armedFor) return;
      disarm?.();
      armedFor = at;
      disarm = undefined;
      if (at <= clock.now()) void look();
      else disarm = timers.at(at, () => void look());
    };
    const look = async (): Promise<void> => {
      // Told while it looks, it looks once more.
      if (looking) return;
      looking = true;
      armedFor = Infinity;
      try {
        const [[at, now] = []] = await database.query(this.#table.next(bus));
        looking = false;
        if (ends.aborted) return;
        const here = clock.now();
        const inMs = at == null ? Infinity : Number(at) - Number(now);
        if (inMs <= 0) {
          stop();
          // Two clocks: it is due by the store's.
          return resolve(Math.min(Number(at), here));
        }
        const again = armedFor;
        armedFor = Infinity;
        disarm?.();
        arm(Math.min(again, here + Math.min(inMs, pollMs)));
      } catch (error) {
        stop();
        reject(error);
      }
    };
    const wake: Wake = (table, of, at) => {
      if ((table === "" || table === this.#table.name) && (of === "" || of === bus)) arm(at);
    };
    const abort = (): void => {
      stop();
      reject(ends.reason);
    };
    const stop = (): void => {
      disarm?.();
      armedFor = -Infinity;
      wakes.delete(wake);
      ends.removeEventListener("abort", abort);
    };
    wakes.add(wake);
    ends.addEventListener("abort", abort, { once: true });
    void look();
    return await promise;
  }

  async stats(
    bus: string,
  ): Promise<{ readonly waiting: number; readonly parked: number; readonly oldest: number | undefined }> {
    const { database } = this.#session("count");
    const [[all, parked, ageInMs] = []] = await database.query(this.#table.stats(bus));
    return {
      waiting: Number(all) - Number(parked),
      parked: Number(parked),
      oldest: ageInMs == null ? undefined : database.clock.now() - Number(ageInMs),
    };
  }

  async parked(bus: string, after: string | undefined, limit: number): Promise<readonly Parked<Row>[]> {
    const { database } = this.#session("list what is parked");
    return this.#table.parkedOf(await database.query(this.#table.parked(bus, after, limit)));
  }

  async unpark(bus: string, ids: readonly string[]): Promise<number> {
    const session = this.#session("unpark");
    if (ids.length === 0) return 0;
    const { database, wakes, say } = session;
    const { length } = await database.query(this.#table.unpark(bus, ids));
    if (length === 0) return 0;
    wakes.tell(this.#table.name, bus, database.clock.now());
    // Whoever does this may deliver nothing.
    await say(notice(this.#table.name, bus)).catch(() => {});
    return length;
  }

  async discard(bus: string, ids: readonly string[]): Promise<number> {
    const { database } = this.#session("discard what is parked");
    return ids.length === 0 ? 0 : (await database.query(this.#table.discard(bus, ids))).length;
  }

  async #space({ database: { clock } }: Session): Promise<void> {
    const now = clock.now();
    // Where the clock was set back, the last ones are not ahead by that.
    const at = Math.max(now, Math.min(this.#doneAt, now) + fewEveryMs);
    this.#doneAt = at;
    if (at <= now) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    (clock.background ?? clock).at(at, resolve);
    await promise;
  }

  /** Gives whether another row is free now. */
  async #finish({ database }: Session, statements: readonly Statement[]): Promise<boolean> {
    if (statements.length === 0) return false;
    const results: Results = statements.length === 1
      ? [await database.query(statements[0]!)] // there is one
      : await database.write(statements, database.end, explainOwn);
    return statements.length > 1 && results.at(-1)!.length > 0; // of the last one
  }

  #freed({ wakes, database }: Session): void {
    wakes.tell(this.#table.name, "", database.clock.now());
  }
}
