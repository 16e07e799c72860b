/**
 * The transport plug-in: moves frames, knows nothing of contracts, envelopes, retries or handlers.
 *
 * How each fits:
 * - **RabbitMQ**: `credit` is the prefetch, `settle` acknowledges several at once; `lost` on channel close makes a
 *   stale tag impossible, since the tag lives with the {@linkcode Delivery} and dies with it. Publisher confirms call
 *   `settled`, a return by message id before its ack makes it an `UnroutableError`. Delays: a ladder of TTL queues.
 *   `again`: publish to the ladder, ack on confirm.
 * - **Kafka**: a queue is a consumer group. `settle` in any order, the transport commits the contiguous prefix.
 *   `release` seeks back (and what came after it, again); `again` is a record on a retry topic, then accept. `lost` on
 *   rebalance. A reply source is a partition of its own. No delay: the core's store keeps what is due later.
 * - **Azure Service Bus**: `ordered` receives by session (the key), credit spread over the sessions; locks are renewed
 *   until `holdMs`; scheduling is native and can be cancelled; `again` is schedule + complete in one transaction.
 * - **SQS**: receives min(10, free credit), renews visibility, DeleteMessageBatch. Ten attributes only: the headers are
 *   packed into one. More than 15 minutes of delay is the core's store. FIFO queues: the key is the group.
 * - **SQL**: rows leased with SKIP LOCKED, settled by one DELETE; `enlist` puts sends and settlements into the
 *   handler's transaction: no outbox is needed.
 * - **In memory**: claim `connection`, everything synchronous, time from `host.clock`.
 *
 * @module
 */
import type { Clock } from "./clock.ts";
import type { Frame, FrameHeaders } from "./frame.ts";

/** `"queue:x"`, `"topic:x"`, the opaque address of a reply, or a URI that this transport alone understands. */
export type Address = string;

/** What a transport can do. What it cannot, the core emulates honestly or refuses at start. */
export interface Capabilities {
  /**
   * What a delivery hangs on: the channel (RabbitMQ, memory), an expiring lease (ASB, SQS, SQL), the group's offset
   * (Kafka).
   */
  readonly claim: "connection" | "lease" | "offset";
  /** The strictest order an `ordered` source keeps across processes: none, one consumer per queue, one per key. */
  readonly order: "none" | "queue" | "key";
  /**
   * Whether `dueAt` is kept, how far ahead, whether `cancel` can take it back, and whether it outlives all processes of
   * the bus (`durable`; left out: it does).
   */
  readonly delay: false | { readonly maxMs: number; readonly cancel: boolean; readonly durable?: boolean };
  /** The broker drops what has expired. */
  readonly expiry: boolean;
  /** The broker tells of a `mandatory` message that reached no queue. */
  readonly mandatory: boolean;
  /** The broker forwards from a derived topic to its base (`Topology.bindings`); else the core fills `alsoTo`. */
  readonly hierarchy: boolean;
  /** Levels; 0: none. */
  readonly priorities: number;
  /** The largest body that the broker takes. */
  readonly maxFrameBytes: number;
  /** The most that all headers of one message may take. */
  readonly maxHeaderBytes: number;
  /**
   * The transport never leaves the process and passes {@linkcode Frame.reference} on as it is: the core then puts the
   * message itself there and does not serialize.
   */
  readonly references?: boolean;
  /**
   * The transport never leaves the process and passes each frame on as the very object that it is. Where the format is a
   * text, the core then makes bytes of it for whoever asks for {@linkcode Frame.body}, and none otherwise.
   */
  readonly keepsFrames?: boolean;
  /**
   * `send` settles each message before it returns, unless it asks to wait: the core then collects nothing to send it
   * together. It does not keep the batch, which is used again.
   */
  readonly immediate?: boolean;
  /**
   * The count of deliveries leaves out what was released untouched. Left out: it does not, and the core remembers what it
   * gave back, as long as the endpoint runs.
   */
  readonly uncounted?: boolean;
}

/** A message to be sent. */
export interface Outgoing {
  /** What is sent, as it is. */
  readonly frame: Frame;
  /** The same on every attempt; a broker that removes duplicates goes by it. */
  readonly messageId: string;
  /** The queue or topic, or where an answer goes. */
  readonly to: Address;
  /** The topics of its bases, where `!hierarchy`: all or none if the broker can, else `to` last. */
  readonly alsoTo: readonly Address[];
  /** Ordering, partition or session key: those of one key keep their order. */
  readonly key?: string | undefined;
  /** 0 … `priorities` - 1. */
  readonly priority?: number | undefined;
  /** Epoch milliseconds; never early, and at once if past. */
  readonly dueAt?: number | undefined;
  /** Epoch milliseconds. */
  readonly expiresAt?: number | undefined;
  /** Whether it is an error that no queue gets it: a command, not an event. */
  readonly mandatory: boolean;
  /**
   * Called exactly once, on any later turn or within `send`: without an error, the broker has it for good. An error
   * says by its class whether it was refused (`UnroutableError`, `MessageTooLargeError`, `AccessRefusedError`: do not
   * try again) or its fate is unknown (any other: the same id may be sent again). Must not throw. `receipt` is for
   * `Transport.cancel`. A callback, as a promise each is dear.
   */
  settled(error?: Error, receipt?: string): void;
}

/**
 * A message that came. The transport knows its native message by this object's identity, for as long as it is
 * unsettled.
 */
export interface Delivery {
  /** What was sent, as it was. */
  readonly frame: Frame;
  /** As it was sent; `undefined`: none. */
  readonly key: string | undefined;
  /** The topic or queue by which it came: names the contract where a foreign sender did not. */
  readonly via: Address | undefined;
  /** The broker's own count, this one included; `undefined` where it has none. */
  readonly deliveryCount: number | undefined;
  /** Why the native message is not a frame; its bytes are then the body. The core moves it to `_error`. */
  readonly unreadable?: Error;
}
/** What becomes of a delivery. `headers` are added to its own, and win. */
export type Settlement =
  & { readonly delivery: Delivery }
  & (
    | { readonly outcome: "accept" }
    /**
     * Back, now, to any consumer of the queue; counted by the broker. `untouched`: no handler has seen it, so it is not
     * counted, if `Capabilities.uncounted`.
     */
    | { readonly outcome: "release"; readonly untouched?: true }
    /**
     * Works whatever `Capabilities.delay` says. A copy at `dueAt` with the same key, then accept: in one step if the
     * broker can, else it may come twice, never not.
     */
    | { readonly outcome: "again"; readonly dueAt: number; readonly headers: FrameHeaders }
    /**
     * A copy to `to`, its body, key and other native headers untouched, then accept: as above. Its native expiry does not
     * go with it: an error queue keeps what it is given.
     */
    | { readonly outcome: "move"; readonly to: Address; readonly headers: FrameHeaders }
  );

/** The core's end of a source. Neither method throws. */
export interface Sink {
  /** Synchronous, in the broker's order, never more than `credit` unsettled, not after `Receiver.stop` resolved. */
  deliver(batch: readonly Delivery[]): void;
  /**
   * The claim is gone (channel, lock, lease, session, rebalance; a `close`), also of what is being settled while the
   * broker has not heard: it may come again. The core aborts `ctx.signal`; later settles are counted no-ops.
   */
  lost(deliveries: readonly Delivery[], reason: Error): void;
  /**
   * Reply sources: `Receiver.address` has changed (direct reply-to, reconnected); what was asked before gets no answer.
   */
  readdressed(): void;
}
/** What to receive. */
export interface Source {
  /** The group on Kafka. Already deployed, unless `lifetime` is not durable. */
  readonly queue: string;
  /** Those whose messages the queue gets. Already bound, unless `lifetime` is not durable. */
  readonly topics: readonly string[];
  /**
   * `instance` and `reply` live as long as the receiver; a reply source may be direct reply-to or a partition of its
   * own.
   */
  readonly lifetime: "durable" | "instance" | "reply";
  /** The most that may be unsettled. */
  readonly credit: number;
  /** How many of them are handled at once; what is unsettled beyond that waits. Left out: that cannot be said. */
  readonly concurrency?: number;
  /** Not two of one key (or queue) in flight, in any process; refused at start where `order` is `"none"`. */
  readonly ordered: boolean;
  /** The transport renews the claim that long; then it may be `lost`. */
  readonly holdMs: number;
  /** This broker's own settings for receiving. */
  readonly extensions: readonly Extension[];
}
/** An open source. It survives reconnects. */
export interface Receiver {
  /** Where answers to a reply source go; read it for each request. */
  readonly address: Address;
  /**
   * Any order, any number, several calls at once. Resolves when the broker has heard; returns no promise where it has
   * heard already, which saves one a message. For a settled, lost or foreign delivery it does nothing. Rejects only for
   * `again` and `move` whose copy failed: all of that call that did not succeed is then still unsettled.
   */
  settle(batch: readonly Settlement[]): void | Promise<void>;
  /** Replaces the credit; 0 pauses (kill switch, rate limit, `bus.pause`). What is in flight stays. */
  credit(total: number): void;
  /** Takes no more; what is unsettled may be settled until `close`. Idempotent. */
  stop(): Promise<void>;
}

/** Sends and settlements that become true when a transaction commits. `Outgoing.settled` then means: written in it. */
export interface Enlistment {
  /**
   * Writes them in the transaction, in their order. When it resolves each is settled; what is found out only later makes
   * the commit fail.
   */
  send(batch: readonly Outgoing[]): Promise<void>;
  /**
   * Settles, in the transaction, what came from its receiver. `ClaimLostError`, here or from the commit: a claim is gone;
   * by then the sink has heard which (`lost`), and all others are unsettled once the transaction is rolled back.
   */
  settle(batch: readonly Settlement[]): Promise<void>;
}
/**
 * The broker's own transaction (Kafka, Azure Service Bus). An error from `commit` leaves it rolled back or, by its
 * class, unknown.
 */
export interface BrokerTransaction extends Enlistment {
  /** Makes all of it true, or none. */
  commit(): Promise<void>;
  /** Forgets all of it. */
  rollback(): Promise<void>;
}

/**
 * A broker's own setting, made by its entry point: `rabbitmq.queue({ … })`. One of another transport is refused at
 * start.
 */
export interface Extension {
  /** {@linkcode Transport.name} */
  readonly transport: string;
  /** Known to that transport alone. */
  readonly value: unknown;
}
/** A queue or topic that shall be. */
export interface Entity {
  /** Without `queue:` or `topic:`. */
  readonly name: string;
  /** This broker's own settings for it. */
  readonly extensions: readonly Extension[];
  /**
   * Of a queue: its sources are `ordered`, so it is made as that needs it (a single active consumer, sessions, FIFO).
   * Left out: it is not. Changed later it may be a conflict.
   */
  readonly ordered?: boolean;
  /** Of a topic: it is a command's or query's, so no more than one queue is to be bound to it. Left out: it is not. */
  readonly owned?: boolean;
}
/** All that shall be at the broker for one bus. */
export interface Topology {
  /** What endpoints take from. */
  readonly queues: readonly Entity[];
  /** What contracts are published to. */
  readonly topics: readonly Entity[];
  /** From a topic to a queue, or to the topic of its base. */
  readonly bindings: readonly { readonly topic: string; readonly to: Address }[];
}
/**
 * `plan`: say what would change. `check`: the same, with no right to manage. `apply`: do it; twice is once. What it does not
 * do, conflicts and extras, all three report.
 */
export type DeployMode = "plan" | "check" | "apply";
/**
 * `create`: missing. `conflict`: there, and different; never changed by itself. `extra`: a binding that is not wanted,
 * of a queue that was named, or of another's to a topic that is `owned`; removed only by hand. Whoever else subscribes to
 * an event is none.
 */
export interface Change {
  /** What is amiss. */
  readonly kind: "create" | "conflict" | "extra";
  /** An address, a binding (`topic:a -> queue:b`) or a migration (`migration:0003_schedules`). */
  readonly entity: string;
  /** For a person: what is there, and what should be. */
  readonly detail: string;
}

/** What a plug-in gets of its bus. */
export interface Host {
  /** The name of the bus. */
  readonly bus: string;
  /** The only time there is: no timer of its own. */
  readonly clock: Clock;
  /** Aborted when the bus gives up waiting: connects and waits end. */
  readonly signal: AbortSignal;
  /** The bus' store, where the application gave one: for a transport that was given a store, too. Stores are told none. */
  readonly store?: unknown;
  /** For health; repeats are welcome. */
  status(now: { readonly state: "up" | "degraded" | "down"; readonly cause?: Error }): void;
}
/** For operators; slow is allowed, changing anything but what is said is not. */
export interface Admin {
  /** `undefined`: the broker does not tell. */
  count(queue: string): Promise<{
    readonly waiting: number;
    readonly active: number | undefined;
    readonly delayed: number | undefined;
  }>;
  /** Takes nothing; those deliveries cannot be settled. `from` is a `next`, or `undefined` for the start. */
  browse(queue: string, from: string | undefined, limit: number): Promise<{
    readonly items: readonly Delivery[];
    readonly next: string | undefined;
  }>;
  /**
   * Like `receive`, of a queue without topics, each message once: ends (`done`) when what was there when it began is
   * settled or lost.
   */
  take(queue: string, sink: Sink, credit: number): Promise<Receiver & { readonly done: Promise<void> }>;
  /** Gives the number, of those not in flight. What is due later stays. */
  purge(queue: string): Promise<number>;
}

/** How a transport is doing, as plain data: connections, what is not confirmed, why it is blocked. */
export type TransportCounts = { readonly [name: string]: number | string | undefined };

/** A transport: `rabbitmq("amqp://…")`. Passed to one bus; nothing happens before `open`. */
export interface Transport {
  /** As extensions and errors say it: `"rabbitmq"`. */
  readonly name: string;
  /** Constant: read before `open`. */
  readonly capabilities: Capabilities;
  /** Once. Resolves when connected, rejects when `host.signal` aborts; afterwards it reconnects by itself, for ever. */
  open(host: Host): Promise<void>;
  /**
   * After `open`. Reports in a stable order; `apply` reports what it did. Deployed topology is declared again on
   * reconnect.
   */
  deploy(topology: Topology, mode: DeployMode): Promise<readonly Change[]>;
  /**
   * FIFO per (to, key), also over a reconnect. Never throws: what fails is told to `settled`. A promise: send nothing
   * more until it resolves, and it never rejects. While the broker is away, messages wait, as long as bounds allow.
   * After `close`: each `settled` with `ClosedError`.
   */
  send(batch: readonly Outgoing[]): void | Promise<void>;
  /**
   * Resolves when the broker delivers; nothing sent to its queue or topics after that is missed. Deliveries may come
   * before it has resolved.
   */
  receive(source: Source, sink: Sink): Promise<Receiver>;
  /** Takes back what is due later, in any process; false: gone already. Where `delay.cancel`. */
  cancel?(receipt: string): Promise<boolean>;
  /**
   * Where the transport lives in the store's database: joins `tx`. `undefined`: `tx` or `receiver` is of another kind.
   */
  enlist?(tx: unknown, receiver: Receiver | undefined): Enlistment | undefined;
  /** Where the broker has transactions of its own, for endpoints without a store. */
  begin?(receiver: Receiver): Promise<BrokerTransaction>;
  /** Where the broker can be asked. */
  readonly admin?: Admin;
  /** How it is doing, now: what it knows by itself, for `bus.health()`. Read anew each time. */
  readonly counts?: TransportCounts;
  /**
   * Flushes sends and settlements until `deadline` (epoch ms), then drops: sends get `ClosedError`, deliveries go back
   * to the broker, instance queues are gone. Idempotent. Afterwards no sink is called, and no timer or socket keeps the
   * process alive.
   */
  close(deadline: number): Promise<void>;
}
