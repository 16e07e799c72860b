/** What becomes true with a unit's commit and is none of its store's. @module */
import type { Results } from "./database.ts";
import type { SqlRow } from "./sql_client.ts";
import type { Statement } from "./statement.ts";

/** A transport's rows in the same database. */
export interface Joined {
  /** What the commit sends besides; asked once, when it begins. May refuse with a `HeroError`: then nothing is written. */
  statements(): readonly Statement[];
  /** What an error of the commit means, if it is about these; else the error. */
  explain(error: unknown): unknown;
  /**
   * The unit is over. `undefined`: nothing of it is written, as far as is known; else what each statement gave. None has
   * given anything where {@linkcode Alike} has written it.
   */
  ended(results: Results | undefined): void;
  /** Who may write it with what other units have joined. */
  readonly alike?: Alike | undefined;
  /** About how much `alike` would write of it. */
  readonly bytes?: number | undefined;
}

/** Makes one of what several units have joined. */
export interface Alike {
  /** Before it is written; `undefined`: they have to go one by one after all. */
  together(all: readonly Joined[]): Together | undefined;
}

/** What several units have joined: all of it is written, or nothing. */
export interface Together {
  readonly part: StatementPart;
  readonly values: Statement["values"];
  /** It is written. Then each that has joined is told that it has ended. */
  committed(rows: readonly SqlRow[]): void;
  /** Nothing is written, as far as is known. */
  undone(): void;
}

/** A statement to which others add what they write: the same object for the same text. */
export interface StatementPart {
  /** Queries behind a WITH. None is called as those of the store: `recorded`, or what `Sagas.changingSeveral` has. */
  readonly queries: string;
  /** What it selects, which fails where anything is to be refused. */
  readonly select: string;
  /** How many columns. */
  readonly columns: number;
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

  /** All of them. */
  get all(): readonly Joined[] {
    return this.#all;
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
