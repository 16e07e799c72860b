/** One connection. @module */
import type { PendingQuery, Row, Sql } from "postgres";
import { type Dial, dialNoMore } from "./dial.ts";
import { explainUnsent } from "./errors.ts";
import { Inlined } from "./inlined.ts";
import type { LastWords } from "./last_words.ts";
import { onOutOfStep } from "./out_of_step.ts";
import { type Asker, sendPlain } from "./plain_query.ts";
import type { Answering } from "./silence.ts";
import type { SqlRow, SqlValue } from "./sql_client.ts";
import { Wire } from "./wire.ts";

/** Whose connection it is. */
export interface LineOwner {
  /** It owes an answer. */
  owed(): void;
  /** It is no more. */
  forget(line: Line): void;
}

/**
 * A client that may open no second connection, on which BEGIN is an ordinary statement that others may follow at once.
 * `sql.begin` would wait for its answer; `sql.reserve` loses a connection whenever it cannot open one.
 */
export class Line implements Answering, Asker {
  readonly sql: Sql;
  readonly inlined: Inlined = new Inlined();
  /** How many have it; `Infinity`: one has it for itself. */
  users = 0;
  lost = false;
  /** Its server takes no writes: it is given to nobody any more, as a new one may lead to another server. */
  readOnly = false;
  owed = 0;
  answered = 0;
  readonly #owner: LineOwner;
  readonly #wire: Wire;
  /** By which the server's process is known. */
  #first: object | undefined;
  #process: number | undefined;

  constructor(owner: LineOwner, dial: Dial) {
    this.#owner = owner;
    this.sql = dial({
      max: 1,
      // The client would take what waits in a transaction for idle.
      idle_timeout: 0,
      max_lifetime: null,
      onclose: () => this.close(),
    });
    this.#wire = new Wire(this.sql);
    onOutOfStep(this.sql, () => this.abandon());
  }

  get process(): number | undefined {
    return this.#process ??= processOf(this.#first);
  }

  /** As {@linkcode Wire.lastWords}. */
  get lastWords(): LastWords | undefined {
    return this.#wire.lastWords;
  }

  get idle(): boolean {
    return this.users === 0;
  }

  /**
   * Sends a statement in the order of the calls, a handler's own among them, and minds that an answer is owed until it
   * is there. Positions instead of names: those may be transformed by the options.
   */
  ask(text: string, values: readonly SqlValue[], prepare: boolean): Promise<readonly SqlRow[]> {
    const plain = sendPlain(this.sql, {
      tagged: false,
      strings: [text],
      args: values,
      options: { prepare, simple: values.length === 0 },
      isRaw: "values",
    }, this);
    if (plain !== undefined) {
      this.#sent(plain);
      return plain.result as Promise<readonly SqlRow[]>; // as isRaw says
    }
    const query = this.sql.unsafe<Row[]>(text, [...values] as (string | number | null)[], { prepare });
    this.#sent(query);
    return this.#answer(query);
  }
  async #answer(query: PendingQuery<Row[]>): Promise<readonly SqlRow[]> {
    try {
      return await query.values();
    } catch (error) {
      throw Reflect.get(query, "state") === null ? explainUnsent(error) : error;
    } finally {
      this.over(query);
    }
  }
  #sent(query: object): void {
    if (this.#process === undefined) this.#first ??= query;
    if (this.owed++ === 0) this.#owner.owed();
  }

  /** As {@linkcode Asker.over}. */
  over(query: object): void {
    this.owed--;
    this.answered++;
    if (this.#first === query) [this.#process, this.#first] = [processOf(query), undefined];
  }

  /** Nothing more goes through it. */
  close(): void {
    dialNoMore(this.sql); // also where its end has begun and waits for what was queued
    if (this.lost) return;
    this.lost = true;
    // What was queued must not be sent on another connection, outside of its transaction.
    void this.sql.end({ timeout: 0 }).catch(() => {});
    this.#owner.forget(this);
  }

  abandon(): void {
    this.close();
    this.#wire.destroy();
  }

  /** Ends it when what is asked of it is answered, or after some seconds. */
  async end(): Promise<void> {
    this.lost = true;
    await this.sql.end({ timeout: 5 });
    this.#wire.destroy();
  }
}

/** The client notes at a statement on which connection it has sent it. */
function processOf(query: object | undefined): number | undefined {
  const state: unknown = query && Reflect.get(query, "state");
  const pid: unknown = typeof state === "object" && state !== null ? Reflect.get(state, "pid") : undefined;
  return typeof pid === "number" ? pid : undefined;
}
