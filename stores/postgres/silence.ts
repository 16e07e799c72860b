/** Connections that owe an answer. @module */
import type { Row } from "postgres";
import type { Clock } from "../../src/spi/clock.ts";
import { type Dial, dialNoMore } from "./dial.ts";
import { Wire } from "./wire.ts";

/** A connection, as its silence is noticed. */
export interface Answering {
  /** How many statements wait for an answer. */
  readonly owed: number;
  /** How many have had one. */
  readonly answered: number;
  /** The server's process behind it; `undefined`: it is being made, for which the client has a bound of its own. */
  readonly process: number | undefined;
  /** Whether nobody has it. */
  readonly idle: boolean;
  /** Ends it without a word: all that waits for it is told at once. */
  abandon(): void;
}

/** So often is looked within the time that there is for an answer. */
const looks = 3;

/**
 * Notices connections that have said nothing for too long, and asks the server, on a new one, whether it is still at work
 * for them: waiting for a lock takes as long as it takes. Those for which it is not are ended, and all of them if there is
 * no answer to that either; so are, with them, those that nobody has: who takes one next would have to wait as well.
 */
export class Silence {
  readonly #lines: Iterable<Answering>;
  readonly #dial: Dial;
  readonly #clock: Clock;
  readonly #ms: number;
  /** Of those that owe: what they had answered, and how often that was so. */
  #seen: ReadonlyMap<Answering, { readonly answered: number; readonly times: number }> = new Map();
  #disarm: (() => void) | undefined;
  #asking: Promise<void> | undefined;
  readonly #end = Promise.withResolvers<undefined>();
  #ended = false;

  /** @param ms how long a connection may owe an answer, and how long the server may take to say why */
  constructor(lines: Iterable<Answering>, dial: Dial, clock: Clock, ms: number) {
    this.#lines = lines;
    this.#dial = dial;
    this.#clock = clock.background ?? clock;
    this.#ms = ms;
  }

  /** A connection owes an answer. */
  owed(): void {
    if (this.#disarm === undefined && this.#asking === undefined && !this.#ended) this.#arm();
  }

  /** Resolves when nothing more is asked. */
  async end(): Promise<void> {
    this.#ended = true;
    this.#disarm?.();
    this.#end.resolve(undefined);
    await this.#asking;
  }

  #arm(): void {
    this.#disarm = this.#clock.at(this.#clock.now() + this.#ms / looks, () => this.#look());
  }

  #look(): void {
    this.#disarm = undefined;
    const owing = [...this.#lines].filter(({ owed }) => owed > 0);
    this.#seen = new Map(owing.map((line) => {
      const last = this.#seen.get(line);
      const { answered } = line;
      return [line, { answered, times: last?.answered === answered ? last.times + 1 : 0 }];
    }));
    const silent = new Map<Answering, number>();
    for (const [line, { times }] of this.#seen) {
      if (times >= looks && line.process !== undefined) silent.set(line, line.process);
    }
    if (silent.size > 0) {
      this.#asking = this.#ask(silent).finally(() => {
        this.#asking = undefined;
        if (!this.#ended) this.#arm();
      });
    } else if (owing.length > 0) this.#arm();
  }

  async #ask(silent: ReadonlyMap<Answering, number>): Promise<void> {
    const seen = this.#seen;
    const working = await this.#working([...silent.values()]);
    if (this.#ended) return;
    const dead = [...silent].flatMap(([line, process]) => {
      const answered = seen.get(line)?.answered;
      return line.owed > 0 && line.answered === answered && !working.has(process) ? line : [];
    });
    if (dead.length > 0) dead.push(...[...this.#lines].filter(({ idle }) => idle));
    for (const line of dead) line.abandon();
    this.#seen = new Map(); // those that work are asked about again after as long
  }

  /** For which of its processes the server is at work: neither idle, nor in vain telling what it has done. */
  async #working(processes: readonly number[]): Promise<ReadonlySet<number>> {
    const sql = this.#dial({ max: 1, idle_timeout: 0, max_lifetime: null });
    const wire = new Wire(sql);
    const late = Promise.withResolvers<undefined>();
    const cancel = this.#clock.at(this.#clock.now() + this.#ms, () => late.resolve(undefined));
    const found = sql.unsafe<Row[]>(
      `SELECT pid FROM pg_catalog.pg_stat_activity WHERE pid IN (${processes.join()}) ` +
        `AND state NOT LIKE 'idle%' AND wait_event_type IS DISTINCT FROM 'Client'`,
    ).values().catch(() => undefined);
    const rows = await Promise.race([found, late.promise, this.#end.promise]);
    cancel();
    dialNoMore(sql);
    await sql.end({ timeout: rows === undefined ? 0 : 1 });
    wire.destroy();
    return new Set((rows ?? []).map(([pid]) => Number(pid)));
  }
}
