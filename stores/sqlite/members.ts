/** The members of a group: each on a savepoint of its own, one after the other. @module */
import type { Awaitable } from "../../src/values/awaitable.ts";
import type { Failures } from "./answer.ts";
import type { Connection } from "./connection.ts";

/** One member, while it runs. */
interface Member {
  /** Whether its savepoint is set: with its first statement. */
  begun: boolean;
}

/** What members need of their unit. */
export interface Group {
  /** The transaction, from its first use on. */
  readonly open: Awaitable<Connection> | undefined;
  readonly failures: Failures | undefined;
  readonly over: boolean;
  /** @throws {TransactionEndedError} once it is over */
  check(): void;
}

/** Of one unit. */
export class Members {
  readonly #group: Group;
  readonly #failed = new Set<number>();
  #last: Promise<void> = Promise.resolve();
  #member: Member | undefined;

  constructor(group: Group) {
    this.#group = group;
  }

  /** When none runs. */
  get done(): Promise<void> {
    return this.#last;
  }
  /** Whether one of them has had no effect. */
  failed(number: number): boolean {
    return this.#failed.has(number);
  }

  /** Before a statement: it is the member's that runs, if one does. */
  enter(connection: Connection): void {
    if (this.#member?.begun !== false) return;
    connection.exec("SAVEPOINT member");
    this.#member.begun = true;
  }

  /** As `Unit.savepoint`. */
  async run<Result>(number: number, work: () => Promise<Result>): Promise<Result> {
    const before = this.#last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last = promise;
    await before;
    const group = this.#group;
    const member = { begun: false };
    try {
      group.check();
      this.#member = member;
      const result = await work();
      await group.open; // what was called in it and not awaited has run then
      group.failures?.check();
      await this.#end(member, "RELEASE member");
      this.#failed.delete(number);
      return result;
    } catch (error) {
      this.#failed.add(number);
      if (!group.over) await this.#end(member, "ROLLBACK TO member; RELEASE member");
      group.failures?.clear();
      throw error;
    } finally {
      this.#member = undefined;
      resolve();
    }
  }

  async #end(member: Member, sql: string): Promise<void> {
    const { open } = this.#group;
    if (open === undefined) return;
    const connection = await open;
    this.#group.check();
    if (member.begun) connection.exec(sql);
  }
}
