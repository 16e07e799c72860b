/** What is due, as one store sees it. @module */
import type { Clock } from "../../src/spi/clock.ts";
import type { OutboxRow } from "../../src/spi/rows.ts";
import type { Due, Leased, Parked, Postponed } from "../../src/spi/store.ts";
import type { DeadlineClock } from "../../src/values/deadlines.ts";
import type { Connection } from "./connection.ts";
import type { File, Listener } from "./file.ts";
import type { DueTable } from "./due_table.ts";
import type { Writer } from "./writer.ts";

/** Fewer rows than this are deleted along with a commit. */
const fewRows = 64;

/** A store that is open. */
export interface Session {
  readonly file: File;
  readonly writer: Writer;
  readonly clock: Clock;
  /** The same, of the time that passes, however that is set. */
  readonly time: DeadlineClock;
  /** Aborts when the store is closed. */
  readonly end: AbortSignal;
  /** Reads what is committed. */
  read<Result>(work: (reader: Connection) => Result): Promise<Result>;
}

/** One store's outbox, or its schedules. */
export class SqliteDue<Row extends OutboxRow> implements Due<Row> {
  readonly #name: string;
  readonly #table: DueTable<Row>;
  readonly #session: (doing: string) => Session;

  /**
   * @param name of the table, by which listeners know it
   * @param session throws unless the store is open
   */
  constructor(name: string, table: DueTable<Row>, session: (doing: string) => Session) {
    this.#name = name;
    this.#table = table;
    this.#session = session;
  }

  async claim(bus: string, limit: number, leaseMs: number): Promise<readonly Leased<Row>[]> {
    const { writer, clock, read } = this.#session("claim");
    // Looking first, as writing nothing would take the writer as well.
    if (limit < 1 || !await read((reader) => this.#table.any(reader, bus, clock.now()))) return [];
    return await writer.write((connection) => this.#table.claim(connection, bus, limit, leaseMs, clock.now()));
  }

  async done(rows: readonly Leased<Row>[]): Promise<void> {
    const { writer, clock, file } = this.#session("say what is done");
    if (rows.length === 0) return;
    const done = (connection: Connection) => this.#table.done(connection, rows);
    // A transaction costs more than what it does for a row, and no other row waits for one without a key.
    const along = rows.length < fewRows && rows.every(({ row }) => row.key === undefined);
    // What a power cut undoes of it is sent again, which at-least-once allows.
    const freed = await (along ? writer.writeAlong(done) : writer.writeLax(done));
    for (const bus of freed) this.changed(file, bus, clock.now());
  }

  async later(rows: readonly Postponed<Row>[]): Promise<void> {
    const { writer, clock, file } = this.#session("postpone");
    if (rows.length === 0) return;
    const freed = await writer.write((connection) => this.#table.later(connection, rows, clock.now()));
    for (const [bus, at] of freed) this.changed(file, bus, at);
  }

  async next(bus: string, signal: AbortSignal): Promise<number> {
    const { file, clock, end, read } = this.#session("wait");
    const ends = AbortSignal.any([signal, end]);
    ends.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    let armedFor = Infinity;
    let disarm: (() => void) | undefined;
    const arm = (at: number): void => {
      if (at >= armedFor) return;
      disarm?.();
      armedFor = at;
      if (at <= clock.now()) void look();
      else disarm = (clock.background ?? clock).at(at, () => void look());
    };
    const look = async (): Promise<void> => {
      try {
        armedFor = Infinity;
        const [at, now] = await read((reader) => {
          const now = clock.now();
          return [this.#table.next(reader, bus, now), now] as const;
        });
        if (ends.aborted) return;
        if (at === undefined) return;
        if (at > now) return arm(at);
        stop();
        resolve(at);
      } catch (error) {
        stop();
        reject(error);
      }
    };
    const listener: Listener = (table, of, at) => {
      if (table === this.#name && of === bus) arm(at);
    };
    const abort = (): void => {
      stop();
      reject(ends.reason);
    };
    const stop = (): void => {
      disarm?.();
      armedFor = -Infinity;
      file.listeners.delete(listener);
      ends.removeEventListener("abort", abort);
    };
    file.listeners.add(listener);
    ends.addEventListener("abort", abort, { once: true });
    void look();
    return await promise;
  }

  async stats(
    bus: string,
  ): Promise<{ readonly waiting: number; readonly parked: number; readonly oldest: number | undefined }> {
    const { read, clock } = this.#session("count");
    return await read((reader) => this.#table.stats(reader, bus, clock.now()));
  }

  async parked(bus: string, after: string | undefined, limit: number): Promise<readonly Parked<Row>[]> {
    const { read } = this.#session("list what is parked");
    return await read((reader) => this.#table.parked(reader, bus, after, limit));
  }

  async unpark(bus: string, ids: readonly string[]): Promise<number> {
    const { writer, clock, file } = this.#session("unpark");
    if (ids.length === 0) return 0;
    const count = await writer.write((connection) => this.#table.unpark(connection, bus, ids, clock.now()));
    if (count > 0) this.changed(file, bus, clock.now());
    return count;
  }

  async discard(bus: string, ids: readonly string[]): Promise<number> {
    const { writer } = this.#session("discard what is parked");
    if (ids.length === 0) return 0;
    return await writer.write((connection) => this.#table.discard(connection, bus, ids));
  }

  /** Tells those who wait that something may be free at a time. */
  changed(file: File, bus: string, at: number): void {
    if (at === Infinity) return;
    for (const listener of [...file.listeners]) listener(this.#name, bus, at);
  }
}
