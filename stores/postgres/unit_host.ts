/** What a unit of work needs of its store. @module */
import type { Changes, InboxKey, OutboxRow } from "../../src/spi/rows.ts";
import type { Leased, Scope, Unit } from "../../src/spi/store.ts";
import type { KeyedLocks } from "../../src/values/keyed_locks.ts";
import type { Link } from "../../src/values/linked_list.ts";
import type { Database, Results } from "./database.ts";
import type { JoinableUnit, Joined } from "./joining.ts";
import type { Statement } from "./statement.ts";

/** What a unit's commit sends. */
export interface Written {
  readonly statements: readonly Statement[];
  /** What became of it. */
  committed(results: Results): readonly Leased<OutboxRow>[];
  /** What a refusal means. */
  explain(error: unknown): unknown;
}

/** A unit, for its store. */
export interface RunningUnit extends JoinableUnit {
  /** Undoes what is not committed and gives all back; what comes later rejects. */
  end(cause?: unknown): void;
  /** What the store waits for before it closes. */
  readonly over: Promise<void>;
  /** Its place among those that run. */
  readonly link: Link<RunningUnit> | undefined;
}

/** What a unit needs of its store. */
export interface UnitHost<Tx> {
  readonly database: Database<Tx>;
  /** Of inbox keys and sagas, within this process. */
  readonly locks: KeyedLocks;
  load(bus: string, saga: string, id: string, lock: boolean): Statement;
  find(bus: string, ...rest: Parameters<Unit<unknown>["find"]>): Statement;
  /** Records that they are handled; `undefined` where there are none. */
  record(bus: string, keys: readonly InboxKey[]): Pick<Written, "statements" | "explain">;
  /**
   * @param handled whose records are to be written
   * @param failed whose records are to be taken back
   */
  write(scope: Scope, handled: readonly InboxKey[], failed: readonly InboxKey[], changes: Changes): Written;
  /**
   * Writes it in one statement, which it may share with other units; `undefined`: it takes more.
   *
   * @param handled as in {@linkcode write}
   * @param begin as `Job.begin`
   */
  share(
    scope: Scope,
    handled: readonly InboxKey[],
    changes: Changes,
    begin: () => void,
  ): Promise<readonly Leased<OutboxRow>[]> | undefined;
  /**
   * Writes it with what has joined it, in one statement, which it may share with other units; false: nothing is written,
   * and it has to go alone. `undefined`: it takes more.
   *
   * @param handled as in {@linkcode write}
   * @param begin as `Job.begin`
   */
  shareJoined(
    scope: Scope,
    handled: readonly InboxKey[],
    changes: Changes,
    joined: readonly Joined[],
    begin: () => void,
  ): Promise<boolean> | undefined;
  /** Somebody may write with it. */
  used(unit: RunningUnit, tx: Tx): void;
  /** The unit is over; nobody writes with this any more. */
  ended(unit: RunningUnit, tx: Tx | undefined): void;
}
