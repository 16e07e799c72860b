/** What a message contract is: a typed, named, versioned value. @module */
import type { Extension } from "../spi/transport.ts";
import type { Destination } from "../values/destination.ts";
import type { Duration } from "../values/duration.ts";
import type { Schema } from "../values/schema.ts";

/** The reply of a message that has none. */
export type NoReply = void;
/** The message of a contract without properties: `command("ping")`. */
export type Empty = { readonly [key: string]: never };
/** Several replies, by name. */
export type Replies = { readonly [kind: string]: Contract };
/** The reply of a request with several: `{ kind: "found"; message: Order } | { kind: "missing"; … }`. */
export type OneOf<R extends Replies> = {
  [K in keyof R]: { readonly kind: K; readonly message: OutputOf<R[K]> };
}[keyof R];

/** What every message of type `T` also is. Contravariant, so a base accepts exactly the messages derived from it. */
export interface Base<in T> {
  /** Never set; carries the type. */
  readonly "~accepts"?: ((message: T) => void) | undefined;
}

/** Commands are sent, events published, queries requested. */
export type Kind = "command" | "event" | "query";

/** Any contract. `In` is sent, `Out` arrives (they differ when a schema transforms), `Reply` comes back. */
export interface Contract<in In = never, out Out = unknown, out Reply = unknown, out K extends Kind = Kind>
  extends Base<In> {
  /** What may be done with it: send, publish or request. */
  readonly kind: K;
  /** The identity on the wire, together with `version`: the registry's key is both. */
  readonly name: string;
  /** 1 unless said otherwise. */
  readonly version: number;
  /** Never set; carries the types. */
  readonly "~types"?: { out: Out; reply: Reply } | undefined;
}

/** What a handler of `C` gets. */
export type OutputOf<C extends Contract> = C extends Contract<never, infer Out> ? Out : never;

/** What a contract may say. */
export interface ContractOptions<In, Out> {
  /** A whole number from 1. */
  readonly version?: number;
  /** Validates on send and on receipt, and gives the type. */
  readonly schema?: Schema<In, Out>;
  /** Ordering, partition and session key. */
  readonly key?: (message: In) => string;
  /**
   * By what a transport chooses among the queues of a topic, where it can (RabbitMQ's direct and topic exchanges). Left
   * out: the key.
   */
  readonly routingKey?: (message: In) => string;
  /** The transport's own settings of the contract's topic: `rabbitmq.exchange({ … })`. */
  readonly extensions?: readonly Extension[];
  /** How long the message is worth handling. */
  readonly ttl?: Duration;
  /** 0 (default) to 255, whole; above the transport's highest it counts as that. */
  readonly priority?: number;
  /** Subscribers to the base get this message too. */
  readonly extends?: Base<In>;
}

/** What commands and queries may say beyond that: they have one owner, and are answered. */
export interface OwnedOptions<In, Out, Reply, Named extends Replies> extends ContractOptions<In, Out> {
  /** The owner's address. The bus' `routes` come before it, a send's `to` before those. */
  readonly to?: Destination;
  /** Validates the reply on both ends, and gives its type. */
  readonly reply?: Schema<Reply>;
  /** Several replies, told apart by name. */
  readonly replies?: Named;
}

/** The one reply, or one of the named. */
export type ReplyOf<Reply, Named extends Replies> = [Named] extends [never] ? Reply : OneOf<Named>;
