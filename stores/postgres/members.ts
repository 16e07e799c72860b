/** The members of a group, each on a savepoint of the unit's transaction. @module */

/** What a member's savepoint is called: a name of its own, so that none goes back to another's. */
function nameOf(number: number): string {
  return `hero_member_${number}`;
}

/** The transaction, once there is one. */
export interface SavepointSession {
  /** Without an answer, as one message if it can be: where it fails, so does what follows. */
  send(...texts: readonly string[]): void;
  /** Rejects where it fails. */
  run(text: string): Promise<unknown>;
  /** Throws once it is over. */
  check(): void;
}

/** One member, while it runs. */
export interface Member {
  readonly savepoint: string;
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
  /** Of a member that is done: it goes with the next message, or with the commit. */
  #standing: string | undefined;

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
    const member: Member = { savepoint: nameOf(number), begun: false, failed: false };
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
        this.#session.send(`ROLLBACK TO SAVEPOINT ${member.savepoint}`, `RELEASE SAVEPOINT ${member.savepoint}`);
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
      const before = this.#standing === undefined ? [] : [`RELEASE SAVEPOINT ${this.#standing}`];
      this.#standing = undefined;
      this.#session.send(...before, `SAVEPOINT ${member.savepoint}`);
    }
    return member;
  }

  async #keep(member: Member): Promise<void> {
    if (!member.begun) return;
    // It went on though a statement had failed: was that on a savepoint of its own?
    if (member.failed) await this.#session.run(`RELEASE SAVEPOINT ${member.savepoint}`);
    else this.#standing = member.savepoint;
  }
}
