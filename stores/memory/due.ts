/** What is due, as one store of a database sees it. @module */
import type { Clock } from "../../src/spi/clock.ts";
import type { OutboxRow } from "../../src/spi/rows.ts";
import type { Due, Leased, Parked, Postponed } from "../../src/spi/store.ts";
import type { DueRows } from "./due_rows.ts";

/** What it needs of its store. */
export interface DueHost {
  /** Throws unless the store is open. */
  check(doing: string): Clock;
  /** Aborts when the store is closed. */
  readonly end: AbortSignal;
}

/** One store's outbox, or its schedules. */
export class MemoryDue<Row extends OutboxRow> implements Due<Row> {
  readonly #host: DueHost;
  readonly #of: (bus: string) => DueRows<Row>;
  readonly #all: () => Iterable<DueRows<Row>>;

  /**
   * @param of the rows of one bus
   * @param all the rows of each
   */
  constructor(host: DueHost, of: (bus: string) => DueRows<Row>, all: () => Iterable<DueRows<Row>>) {
    this.#host = host;
    this.#of = of;
    this.#all = all;
  }

  // deno-lint-ignore require-await -- a rejection, not a throw
  async claim(bus: string, limit: number, leaseMs: number): Promise<readonly Leased<Row>[]> {
    return this.#of(bus).claim(limit, leaseMs, this.#host.check("claim").now());
  }

  // deno-lint-ignore require-await -- a rejection, not a throw
  async done(rows: readonly Leased<Row>[]): Promise<void> {
    this.#host.check("say what is done");
    for (const each of this.#all()) {
      for (const row of rows) each.done(row);
      each.changed();
    }
  }

  // deno-lint-ignore require-await -- a rejection, not a throw
  async later(rows: readonly Postponed<Row>[]): Promise<void> {
    const now = this.#host.check("postpone").now();
    for (const each of this.#all()) {
      for (const row of rows) each.later(row, now);
      each.changed();
    }
  }

  // deno-lint-ignore require-await -- a rejection, not a throw
  async next(bus: string, signal: AbortSignal): Promise<number> {
    const clock = this.#host.check("wait");
    const ends = AbortSignal.any([signal, this.#host.end]);
    ends.throwIfAborted();
    const rows = this.#of(bus);
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    let armedFor: number | undefined;
    let disarm: (() => void) | undefined;
    const look = (): void => {
      const now = clock.now();
      const at = rows.next(now);
      if (at !== undefined && at <= now) {
        end();
        resolve(at);
      } else if (at !== armedFor) {
        disarm?.();
        armedFor = at;
        disarm = at === undefined ? undefined : (clock.background ?? clock).at(at, () => {
          armedFor = undefined;
          look();
        });
      }
    };
    const abort = (): void => {
      end();
      reject(ends.reason);
    };
    const end = (): void => {
      disarm?.();
      rows.listeners.delete(look);
      ends.removeEventListener("abort", abort);
    };
    rows.listeners.add(look);
    ends.addEventListener("abort", abort, { once: true });
    look();
    return promise;
  }

  // deno-lint-ignore require-await -- a rejection, not a throw
  async stats(
    bus: string,
  ): Promise<{ readonly waiting: number; readonly parked: number; readonly oldest: number | undefined }> {
    return this.#of(bus).stats(this.#host.check("count").now());
  }

  // deno-lint-ignore require-await -- a rejection, not a throw
  async parked(bus: string, after: string | undefined, limit: number): Promise<readonly Parked<Row>[]> {
    this.#host.check("list what is parked");
    return this.#of(bus).parked(after, limit);
  }

  // deno-lint-ignore require-await -- a rejection, not a throw
  async unpark(bus: string, ids: readonly string[]): Promise<number> {
    const now = this.#host.check("unpark").now();
    const rows = this.#of(bus);
    const count = rows.unpark(new Set(ids), now);
    if (count > 0) rows.changed();
    return count;
  }

  // deno-lint-ignore require-await -- a rejection, not a throw
  async discard(bus: string, ids: readonly string[]): Promise<number> {
    this.#host.check("discard what is parked");
    return this.#of(bus).discard(new Set(ids));
  }
}
