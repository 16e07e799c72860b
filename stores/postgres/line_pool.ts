/** The connections of a store over postgres.js. @module */
import { ClosedError } from "../../src/errors/transport.ts";
import { abortable } from "../../src/values/abortable.ts";
import type { Dial } from "./dial.ts";
import { closedName } from "./errors.ts";
import { Line, type LineOwner } from "./line.ts";
import { Silence } from "./silence.ts";
import { type Patience, type Waiting, WaitingLine } from "./waiting.ts";

/** As many statements, each a transaction of its own, are on one connection at once. */
const mostShared = 16;

/**
 * What a connection is for. `statement`: shared by several. `flight`: statements that are sent at once, and wait for
 * nobody in between. `transaction`: whatever an application does meanwhile.
 */
export type Use = "statement" | "flight" | "transaction";

/** Who waits for a connection. */
interface Waiter extends Waiting {
  readonly use: Use;
  readonly resolve: (line: Line) => void;
  /** Whether it counts among the transactions that there may be. */
  admitted: boolean;
  /** Takes it out of where it waits; false, if it did not any more. */
  leave: () => boolean;
}

/**
 * So many connections, made when they are needed. Statements of their own share them; transactions do not. Where these
 * have all, one more is made, and kept, for all else: what an application waits for in its transaction may need it, as
 * may what renews a lease meanwhile.
 */
export class LinePool implements LineOwner {
  readonly #dial: Dial;
  readonly #max: number;
  readonly #lines = new Set<Line>();
  readonly #silence: Silence;
  readonly #waiters: WaitingLine<Waiter>;
  /** Transactions that may not begin yet, as there are as many as there may be: each then waits among the others. */
  readonly #behind: WaitingLine<Waiter>;
  #transactions = 0;
  #ended = false;

  /** @param answerMs how long a connection may owe an answer, unless the server says that it is at work */
  constructor(dial: Dial, max: number, patience: Patience, answerMs: number) {
    this.#dial = dial;
    this.#max = max;
    this.#silence = new Silence(this.#lines, dial, patience.clock, answerMs);
    this.#waiters = new WaitingLine(patience, max);
    this.#behind = new WaitingLine(patience, max);
  }

  /**
   * A connection. To be given back by {@linkcode release}.
   *
   * @throws {StoreBusyError} where nobody's turn comes for too long
   */
  take(use: Use, signal?: AbortSignal): Promise<Line> | Line {
    signal?.throwIfAborted();
    const admitted = use !== "transaction" || this.#admits();
    const found = admitted && this.#waiters.size === 0 ? this.#find(use) : undefined;
    return found ?? this.#wait(use, admitted, signal);
  }

  /** One for a transaction, if nobody has to wait for it. To be given back, too. */
  free(): Line | undefined {
    if (this.#waiters.size > 0 || !this.#admits()) return undefined;
    const line = this.#find("transaction");
    if (line === undefined) this.#transactions--;
    return line;
  }

  /** Gives it back. */
  release(line: Line, use: Use): void {
    line.users = use === "statement" ? line.users - 1 : 0;
    if (use === "transaction") this.#transactions--;
    if (line.readOnly && line.users === 0) line.close();
    this.#serve();
  }

  /** As {@linkcode LineOwner.owed}. */
  owed(): void {
    this.#silence.owed();
  }

  /** As {@linkcode LineOwner.forget}. */
  forget(line: Line): void {
    if (this.#lines.delete(line)) this.#serve();
  }

  /** Another process stands before the server, which cannot say for whom it is at work: all are waited for. */
  relayed(): void {
    void this.#silence.end();
  }

  /** Closes all. */
  async end(): Promise<void> {
    this.#ended = true;
    const lines = [...this.#lines];
    this.#lines.clear();
    const closed = new ClosedError(closedName);
    for (const each of [this.#waiters, this.#behind]) each.end(closed);
    await Promise.all([this.#silence.end(), ...lines.map((line) => line.end())]);
  }

  async #wait(use: Use, admitted: boolean, signal: AbortSignal | undefined): Promise<Line> {
    const { promise, resolve, reject } = Promise.withResolvers<Line>();
    const waiter: Waiter = { use, resolve, reject, admitted, leave: () => false };
    waiter.leave = (admitted ? this.#waiters : this.#behind).add(waiter);
    try {
      return await (signal === undefined ? promise : abortable(promise, signal));
    } catch (reason) {
      const left = (): void => {
        if (use === "transaction" && waiter.admitted) this.#transactions--;
        this.#serve();
      };
      if (waiter.leave()) left();
      else promise.then((line) => this.release(line, use), left); // it may have come in the same turn
      throw reason;
    }
  }

  /** Whether there may be one more transaction, which then counts. */
  #admits(): boolean {
    if (this.#transactions >= this.#max) return false;
    this.#transactions++;
    return true;
  }

  #find(use: Use): Line | undefined {
    if (this.#ended) throw new ClosedError(closedName);
    let least: Line | undefined;
    for (const line of this.#lines) {
      if (line.readOnly) continue;
      if (line.users < (least?.users ?? Infinity)) least = line;
      if (line.users === 0) break;
    }
    const most = use !== "transaction" && this.#transactions >= this.#max ? this.#max + 1 : this.#max;
    if (least?.users !== 0 && this.#lines.size < most) {
      least = new Line(this, this.#dial);
      this.#lines.add(least);
    }
    if (least === undefined || least.users >= (use === "statement" ? mostShared : 1)) return undefined;
    least.users = use === "statement" ? least.users + 1 : Infinity;
    return least;
  }

  /** First come, first served, so that no kind starves. */
  #serve(): void {
    if (this.#ended) return;
    for (let next = this.#behind.first; next !== undefined && this.#admits(); next = this.#behind.first) {
      this.#behind.shift();
      next.admitted = true;
      next.leave = this.#waiters.add(next);
    }
    for (let next = this.#waiters.first; next !== undefined; next = this.#waiters.first) {
      const line = this.#find(next.use);
      if (line === undefined) return;
      this.#waiters.shift();
      next.resolve(line);
    }
  }
}
