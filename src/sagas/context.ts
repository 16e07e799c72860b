/** What the steps of a saga are given. @module */
import type { MessageContext } from "../pipeline/context.ts";
import type { Correlation } from "./correlation.ts";

/** Everything that the types of one saga depend on, in one parameter, to keep messages and instantiations short. */
export interface Shape {
  /** What an instance holds. */
  readonly data: object;
  /** The names of its states. */
  readonly state: string;
  /** Its events, by name. */
  readonly events: { readonly [name: string]: Correlation };
  /** Their names. */
  readonly event: string;
  /** The names of its timeouts. */
  readonly timeout: string;
}
/** The states of a saga. */
export type StateOf<S extends Shape> = S["state"];

/** The shape of what runs where an instance is missing: there is no data, no state to go to, nothing to wait for. */
export interface MissingShape<S extends Shape> {
  /** None. */
  readonly data: Readonly<Record<string, never>>;
  /** None. */
  readonly state: never;
  /** The saga's. */
  readonly events: S["events"];
  /** Their names. */
  readonly event: S["event"];
  /** None. */
  readonly timeout: never;
}

/**
 * Always in a unit of work: `store.tx(ctx)`. It has no `request`; the step of that name waits without holding anything.
 */
export interface SagaContext<in out S extends Shape, out Message, out Failure = undefined> extends MessageContext {
  /** The instance's data; change it in place. */
  readonly saga: S["data"];
  /**
   * A property of the data that may be missing, but is not here: one that the state `requires`.
   *
   * @throws {MissingSagaDataError} if it is `undefined` or `null`
   */
  need<K extends keyof S["data"] & string>(property: K): NonNullable<S["data"][K]>;
  /** The state that the instance is in. Before the first transition it is `initial`, after `finalize()` it is `final`. */
  readonly state: StateOf<S>;
  /** The instance's. */
  readonly id: string;
  /** What is handled; `undefined` where no message is. */
  readonly message: Message;
  /** What was caught. Of a `catch` that has waited for a compensation, its class, message and stack alone. */
  readonly error: Failure;
}
