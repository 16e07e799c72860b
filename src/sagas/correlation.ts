/** How events find the instances that they are for. @module */
import type { Contract } from "../contracts/contract.ts";
import { definitionOf } from "../contracts/definition.ts";
import { ConfigurationError } from "../errors/configuration.ts";
import { shown } from "../errors/shown.ts";
import type { KeyOf } from "../values/exact.ts";
import { checkOptionNames, type OptionNames } from "../values/option_names.ts";
import type { EventDefinition, Missing } from "./definition.ts";

/** What an event does to an instance; the words show up in the compiler's message. */
export type Role = "starts a saga" | "needs an existing saga";

/** An event of a saga: a contract, and how its messages find their instance. Made by {@linkcode On}. */
export interface Correlation<out Message = unknown, out Reply = unknown, out R extends Role = Role> {
  /** What its messages are. */
  readonly contract: Contract<never, Message, Reply>;
  /** What it does to an instance. */
  readonly role: R;
}
/** What an index may hold, as a store compares it. */
export type Indexable = string | number | bigint | boolean | undefined;
/** The properties of `Data` that may be an index. */
export type IndexOf<Data> = {
  [K in keyof Data & string]-?: Data[K] extends Indexable ? K : never;
}[keyof Data & string];
/** Shown in the error for a property that is not one of `indexes`. */
export interface NotAnIndex<Property> {
  /** The property's name. */
  readonly "~unindexed": Property;
}
/** One or several of the indexes, with their values. */
export type Match<Data, Index extends keyof Data> = {
  [K in Index]:
    & { readonly [P in K]: NonNullable<Data[P]> }
    & { readonly [P in Exclude<Index, K>]?: NonNullable<Data[P]> };
}[Index];
/** The callback `F`, refused where it returns no index, or anything else beside; see `Make`. */
export type MatchBy<Message, Data, Index extends keyof Data, F> = F extends (...args: never) => infer P
  ? [Exclude<KeyOf<P>, Index>] extends [never]
    ? P extends Match<Data, Index> ? F : (message: Message) => Match<Data, Index>
  : (message: Message) => { readonly [K in Exclude<KeyOf<P>, Index>]: NotAnIndex<K> }
  : F;

/** What an event may say. */
export interface OnOptions {
  /**
   * What becomes of a message whose instance is not there. `"fault"`, the default: it fails with a
   * `SagaNotFoundError`, is retried as the endpoint says, and ends in its error queue. `"discard"`: it is dropped and
   * counted. `"redeliver"`: it comes again later. `"run"`: the rules of `whenMissing` are run.
   */
  readonly onMissing?: "discard" | "fault" | "redeliver" | "run";
}

/** Says how messages find their instance. */
export interface On<in Data, in Index extends keyof Data = never> {
  /** By id. */
  <Message, Reply>(
    contract: Contract<never, Message, Reply>,
    id: NoInfer<(message: Message) => string>,
    options?: OnOptions,
  ): Correlation<Message, Reply, "needs an existing saga">;
  /** By id; starts a saga where there is none. A method, not an overload: "No overload matches" explains nothing. */
  start<Message, Reply>(
    contract: Contract<never, Message, Reply>,
    id: NoInfer<(message: Message) => string>,
    create: NoInfer<(message: Message) => Data>,
  ): Correlation<Message, Reply, "starts a saga">;
  /** By `indexes`, all of those returned; may find many, which are then handled in one unit, in order of their ids. */
  where<Message, Reply, F extends (message: Message) => Partial<Data> | object>(
    contract: Contract<never, Message, Reply>,
    match: MatchBy<Message, Data, Index, F>,
    options?: OnOptions,
  ): Correlation<Message, Reply, "needs an existing saga">;
}

const onOptionNames: OptionNames<OnOptions> = { onMissing: true };

/** A correlation with what is not in its type. */
interface MadeCorrelation extends Correlation {
  readonly by: EventDefinition["by"];
}

/** As {@linkcode On}, without its types. */
export function correlations(saga: string): On<object> {
  const made = (contract: Contract, by: EventDefinition["by"]): MadeCorrelation => {
    definitionOf(contract, `the contract of an event of the saga "${saga}"`);
    return { contract, role: by.kind === "start" ? "starts a saga" : "needs an existing saga", by };
  };
  const on = (contract: Contract, id: (message: never) => string, options: OnOptions = {}) =>
    made(contract, { kind: "id", id: called(id, "id", contract), onMissing: missing(options, contract) });
  const start = (contract: Contract, id: (message: never) => string, create: (message: never) => object) =>
    made(contract, {
      kind: "start",
      id: called(id, "id", contract),
      create: called(create, "data", contract),
    });
  const where = (contract: Contract, match: (message: never) => object, options: OnOptions = {}) =>
    made(contract, {
      kind: "index",
      match: called(match, "indexes", contract),
      onMissing: missing(options, contract),
    });
  // The types of `On` are for the caller; what is stored here is called with messages of the contract alone.
  return Object.assign(on, { start, where }) as unknown as On<object>;

  function called<F>(made: F, what: string, contract: Contract): F {
    if (typeof made === "function") return made;
    throw new ConfigurationError(
      `Cannot correlate "${contract.name}" of the saga "${saga}": ${shown(made)} is no function. ` +
        `Give one from the message to the instance's ${what}`,
    );
  }
  function missing(options: OnOptions, contract: Contract): Missing {
    checkOptionNames(options, onOptionNames, `"${contract.name}" of the saga "${saga}"`);
    const { onMissing = "fault" } = options;
    if (["discard", "fault", "redeliver", "run"].includes(onMissing)) return onMissing;
    throw new ConfigurationError(
      `Cannot correlate "${contract.name}" of the saga "${saga}": { onMissing: ${shown(onMissing)} } is unknown. ` +
        `Say "discard", "fault", "redeliver" or "run"`,
    );
  }
}

/** How a correlation finds its instances; `undefined`: it is none. */
export function correlatedBy(correlation: unknown): EventDefinition["by"] | undefined {
  if (typeof correlation !== "object" || correlation === null || !("by" in correlation)) return undefined;
  // What has `by` was made above, or is made up on purpose.
  return (correlation as MadeCorrelation).by;
}
