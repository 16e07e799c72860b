/** The connections of a store over postgres.js. @module */
import type { Options, Sql } from "postgres";
import { ClosedError } from "../../src/errors/transport.ts";
import { abortable } from "../../src/values/abortable.ts";
import { LinkedList } from "../../src/values/linked_list.ts";
import type { Client } from "./client.ts";
import { storeName } from "./errors.ts";

/** As many statements, each a transaction of its own, are on one connection at once. */
const mostShared = 16;

/** Makes one connection. */
export type Dial = (options: Options<Record<string, never>>) => Sql;

/** Who waits for a connection. */
interface Waiter {
  readonly alone: boolean;
  readonly resolve: (line: Line) => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * One connection: a client that may open no second one, on which BEGIN is an ordinary statement that others may follow
 * at once. `sql.begin` would wait for its answer; `sql.reserve` loses a connection whenever it cannot open one.
 */
export class Line {
  readonly sql: Sql;
  /** How many have it; `Infinity`: one has it for itself. */
  users = 0;
  lost = false;
  readonly #pool: LinePool;

  constructor(pool: LinePool, dial: Dial) {
    this.#pool = pool;
    this.sql = dial({
      max: 1,
      // The client would take what waits in a transaction for idle.
      idle_timeout: 0,
      max_lifetime: null,
      onclose: () => this.close(),
    });
  }

  /** Nothing more goes through it. */
  close(): void {
    dialNoMore(this.sql); // also where its end has begun and waits for what was queued
    if (this.lost) return;
    this.lost = true;
    // What was queued must not be sent on another connection, outside of its transaction.
    void this.sql.end({ timeout: 0 }).catch(() => {});
    this.#pool.forget(this);
  }
}

/** So many connections, made when they are needed. Statements of their own share them; transactions do not. */
export class LinePool {
  readonly #dial: Dial;
  readonly #max: number;
  readonly #lines = new Set<Line>();
  readonly #waiters = new LinkedList<Waiter>();
  #ended = false;

  constructor(dial: Dial, max: number) {
    this.#dial = dial;
    this.#max = max;
  }

  /** A connection for one alone. To be given back by {@linkcode release}, as the others. */
  take(signal: AbortSignal): Promise<Line> {
    return this.#get(true, signal);
  }

  /** A connection for one statement. */
  share(): Promise<Line> | Line {
    return this.#waiters.size === 0 ? this.#find(false) ?? this.#get(false) : this.#get(false);
  }

  /** Gives it back. */
  release(line: Line, alone: boolean): void {
    line.users = alone ? 0 : line.users - 1;
    this.#serve();
  }

  /** It is no more. */
  forget(line: Line): void {
    if (this.#lines.delete(line)) this.#serve();
  }

  /** Closes all. */
  async end(): Promise<void> {
    this.#ended = true;
    const lines = [...this.#lines];
    this.#lines.clear();
    for (const { reject } of this.#waiters) reject(new ClosedError(`the store "${storeName}"`));
    await Promise.all(lines.map((line) => {
      line.lost = true;
      return line.sql.end({ timeout: 5 });
    }));
  }

  async #get(alone: boolean, signal?: AbortSignal): Promise<Line> {
    signal?.throwIfAborted();
    const found = this.#waiters.size === 0 ? this.#find(alone) : undefined;
    if (found !== undefined) return found;
    const { promise, resolve, reject } = Promise.withResolvers<Line>();
    const link = this.#waiters.pushBack({ alone, resolve, reject });
    if (signal === undefined) return await promise;
    try {
      return await abortable(promise, signal);
    } catch (reason) {
      this.#waiters.remove(link);
      // It may have come in the same turn.
      promise.then((line) => this.release(line, alone), () => {});
      throw reason;
    }
  }

  #find(alone: boolean): Line | undefined {
    if (this.#ended) throw new ClosedError(`the store "${storeName}"`);
    let least: Line | undefined;
    for (const line of this.#lines) {
      if (line.users < (least?.users ?? Infinity)) least = line;
      if (line.users === 0) break;
    }
    if (least?.users !== 0 && this.#lines.size < this.#max) {
      least = new Line(this, this.#dial);
      this.#lines.add(least);
    }
    if (least === undefined || least.users >= (alone ? 1 : mostShared)) return undefined;
    least.users = alone ? Infinity : least.users + 1;
    return least;
  }

  /** First come, first served, so that neither kind starves. */
  #serve(): void {
    if (this.#ended) return;
    for (const { alone, resolve } of this.#waiters) {
      const line = this.#find(alone);
      if (line === undefined) return;
      this.#waiters.popFront();
      resolve(line);
    }
  }
}

/** How connections are made: the client with its options, and what a pool says of each. */
export function dialer(client: Client, url: string | undefined, options: Options<Record<string, never>>): Dial {
  return (own) => {
    const all = { ...options, ...own };
    return url === undefined ? client(all) : client(url, all);
  };
}

/**
 * Has a client that ends open no connection any more. postgres.js begins to open one again for what is queued when the
 * last is lost, and `end` does not stop it: the connection would be there, and the process with it, until the server
 * ends. It asks for a socket each time; one that never comes holds nothing.
 */
export function dialNoMore(sql: Sql): void {
  Object.assign(sql.options, { socket: () => new Promise(() => {}) });
}
