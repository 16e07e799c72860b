/** The members of a group, each on a savepoint of the unit's transaction. @module */

/** What members' savepoints are called: one is there at a time. */
export const savepoint = "hero_member";

/** The transaction, once there is one. */
export interface SavepointSession {
  /** Without an answer: where it fails, so does what follows. */
  send(text: string): void;
  /** Rejects where it fails. */
  run(text: string): Promise<unknown>;
  /** Throws once it is over. */
  check(): void;
}

/** One member, while it runs. */
export interface Member {
  /** Whether its savepoint is set: with its first statement. */
  begun: boolean;
  /** Whether a statement of it failed: the transaction takes nothing more until that is undone. */
  failed: boolean;
}

/** Runs them one after the other, and knows which of them failed. */
export class Members {
  readonly #session: SavepointSession;
  readonly #failed = new Set<number>();
  #last: Promise<unknown> = Promise.resolve();
  #running: Member | undefined;

  constructor(session: SavepointSession) {
    this.#session = session;
  }

  /** Resolves when all that have begun are done. */
  get done(): Promise<unknown> {
    return this.#last;
  }
  /** Whether it failed when it was run last. */
  failed(number: number): boolean {
    return this.#failed.has(number);
  }

  /** Runs one: if `work` rejects, what it wrote is undone. */
  async run<Result>(number: number, work: () => Promise<Result>): Promise<Result> {
    const before = this.#last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last = promise;
    await before;
    const member: Member = { begun: false, failed: false };
    try {
      this.#session.check();
      this.#running = member;
      const result = await work();
      await this.#keep(member);
      this.#failed.delete(number);
      return result;
    } catch (error) {
      this.#failed.add(number);
      if (member.begun) {
        this.#session.send(`ROLLBACK TO SAVEPOINT ${savepoint}`);
        this.#session.send(`RELEASE SAVEPOINT ${savepoint}`);
      }
      throw error;
    } finally {
      this.#running = undefined;
      resolve();
    }
  }

  /** The one that runs, its savepoint set: before each statement. */
  enter(): Member | undefined {
    const member = this.#running;
    if (member?.begun === false) {
      member.begun = true;
      this.#session.send(`SAVEPOINT ${savepoint}`);
    }
    return member;
  }

  async #keep(member: Member): Promise<void> {
    if (!member.begun) return;
    if (!member.failed) return this.#session.send(`RELEASE SAVEPOINT ${savepoint}`);
    // It went on though a statement had failed: was that on a savepoint of its own?
    await this.#session.run(`RELEASE SAVEPOINT ${savepoint}`);
  }
}
