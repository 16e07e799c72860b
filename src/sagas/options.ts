/** What a saga is made of beside its rules. @module */
import type { Schema } from "../values/schema.ts";
import type { Duration } from "../values/duration.ts";
import type { On } from "./correlation.ts";

/** What a saga says beside its rules. */
export interface SagaOptions<
  Data extends object,
  State extends string,
  Events,
  Timeout extends string,
  Index extends keyof Data,
> {
  /**
   * What an instance holds. A schema, or `type<T>()`; it is checked when an instance is read and written. A schema has to
   * take what it gives: what it made of the data is stored, and read by it again.
   */
  readonly data: Schema<unknown, Data>;
  /**
   * The names of its states, without `initial` and `final`, which every saga has. `"processing.packing"` is a sub-state
   * of `"processing"`: an instance in it is in both.
   */
  readonly states: readonly State[];
  /**
   * Properties of the data, optional ones mostly, that are there in a state and in those within it: an instance that
   * enters it, or stays in it, without one fails with a `MissingSagaDataError`. `ctx.need(name)` reads them.
   */
  readonly requires?: NoInfer<{ readonly [K in State]?: readonly (keyof Data & string)[] }>;
  /** Properties of the data by which `on.where` may find instances: text, numbers, booleans. */
  readonly indexes?: readonly Index[];
  /** The events by name, each a contract and how its messages find their instance. */
  readonly events: (on: On<Data, Index>) => Events;
  /** How long each timeout is; `.schedule(name)` begins it. */
  readonly timeouts?: { readonly [K in Timeout]: Duration };
  /** Of the data. 1 unless said otherwise; an instance of a later version is refused. */
  readonly version?: number;
  /**
   * By the version that they read: each makes data of the next version. An instance of an older version is brought up
   * by all from its own on; the result is checked by `data`.
   */
  readonly upgrades?: { readonly [version: number]: (old: never) => object };
  /** Keeps each transition: from where, to where, when, and by which message. */
  readonly history?: boolean;
  /** What becomes of an instance that is over. `"removed"` unless said otherwise. */
  readonly finalized?: "removed" | "archived";
  /**
   * `"optimistic"`, the default: who finds an instance changed by another process begins again. `"pessimistic"`: who
   * works on an instance keeps others from it until the end, where the store can.
   */
  readonly concurrency?: "optimistic" | "pessimistic";
}
