/** What becomes true with a unit's commit and is none of its store's. @module */
import type { Results } from "./database.ts";
import type { Statement } from "./statement.ts";

/** A transport's rows in the same database. */
export interface Joined {
  /** What the commit sends besides; asked once, when it begins. May refuse with a `HeroError`: then nothing is written. */
  statements(): readonly Statement[];
  /** What an error of the commit means, if it is about these; else the error. */
  explain(error: unknown): unknown;
  /** The unit is over. `undefined`: nothing of it is written, as far as is known; else what each statement gave. */
  ended(results: Results | undefined): void;
}

/** A unit, for what joins it. */
export interface JoinableUnit {
  /** @throws {TransactionEndedError} once the unit commits or has ended */
  join(joined: Joined): void;
}

/** All that has joined one unit. */
export class Joining {
  readonly #all: Joined[] = [];
  #statements: readonly (readonly Statement[])[] = [];
  #results: Results | undefined;

  add(joined: Joined): void {
    this.#all.push(joined);
  }

  /** What goes before the unit's own statements. */
  begin(): readonly Statement[] {
    this.#statements = this.#all.map((joined) => joined.statements());
    return this.#statements.flat();
  }

  /** All is written; gives the results of the unit's own statements. */
  committed(results: Results): Results {
    this.#results = results;
    return results.slice(this.#statements.flat().length);
  }

  /** What an error means, if it is about any of these. */
  explain(error: unknown): unknown {
    for (const joined of this.#all) {
      const meant = joined.explain(error);
      if (meant !== error) return meant;
    }
    return error;
  }

  /** The unit is over. */
  end(): void {
    let at = 0;
    for (const [index, joined] of this.#all.splice(0).entries()) {
      const next = at + (this.#statements[index]?.length ?? 0);
      joined.ended(this.#results?.slice(at, next));
      at = next;
    }
  }
}
