/** What an operator asks of a bus. @module */
import type { Headers } from "../envelope/headers.ts";
import type { ExceptionInfo } from "../errors/exception_info.ts";
import type { EndpointStatistics } from "../pipeline/statistics.ts";
import type { Backlog } from "../spi/telemetry.ts";
import type { Change, DeployMode, TransportCounts } from "../spi/transport.ts";
import type { Duration } from "../values/duration.ts";

/** Of one endpoint, over all processes; `active` is this process' alone where the broker does not tell. */
export interface Counts {
  /** Not yet taken by any consumer. */
  readonly waiting: number;
  /** Taken, and not settled. */
  readonly active: number;
  /** At the broker, and due later: deferred, to be redelivered, or sent with a delay. What a store keeps is in no queue. */
  readonly delayed: number;
  /** In `<endpoint>_error`. */
  readonly failed: number;
  /** In `<endpoint>_skipped`. */
  readonly skipped: number;
}
/** A message in `<endpoint>_error` or `<endpoint>_skipped`, its body as it came. */
export interface FailedMessage {
  /** What `requeue`, `discard` and `after` take. */
  readonly messageId: string;
  /** `undefined` where the message could not be read. */
  readonly contract: { readonly name: string; readonly version: number } | undefined;
  /** Of a request, and of an answer to one; `undefined` of all else. */
  readonly requestId: string | undefined;
  /** `"fault"`: its handler failed. `"unreadable"`, `"limit"`, `"expired"`, `"no-consumer"`: it never reached one. */
  readonly reason: string;
  /** When its endpoint gave it up, or put it aside. */
  readonly failedAt: Date;
  /** How often it was handled, over retries and redeliveries. */
  readonly attempts: number;
  /** What was thrown, the reason first. Empty where nothing was: what has expired, what no handler is for. */
  readonly exceptions: readonly ExceptionInfo[];
  /** The application's own. */
  readonly headers: Headers;
  /** The MIME type of `body`. */
  readonly contentType: string;
  /** Byte for byte as it came. */
  readonly body: Uint8Array;
}
/** Messages by id, by what is known about them, or all that are there when it begins. */
export type Selection = "all" | readonly string[] | ((message: FailedMessage) => boolean);
/**
 * `<endpoint>_error`, or `<endpoint>_skipped`. One that is not there yet has nothing in it; where the endpoint's own
 * queue is missing as well, whatever is asked ends in a `TopologyError`.
 */
export interface ErrorQueue {
  /**
   * Takes nothing away. Oldest first where the transport has an order.
   *
   * @param options `limit`: at most so many; left out: all. `after`: those behind the one of that message id
   */
  list(
    options?: { readonly limit?: number; readonly after?: string; readonly signal?: AbortSignal },
  ): AsyncIterable<FailedMessage>;
  /**
   * Back to the endpoint, attempts counted anew, same id: an inbox that has seen it done drops it. Gives the number.
   * Rejects where some could not be, or the connection broke meanwhile: call it again, what has gone is not there any
   * more.
   */
  requeue(which: Selection): Promise<number>;
  /** Gives the number. Rejects as `requeue` does. */
  discard(which: Selection): Promise<number>;
}

/** A message that was committed and could not be sent: it waits in the store for an operator. */
export interface ParkedMessage {
  /** Whether it was to be sent at once, or was scheduled. */
  readonly of: "outbox" | "schedules";
  /** What `release` takes. */
  readonly messageId: string;
  /** `undefined` where the message does not say. */
  readonly contract: { readonly name: string; readonly version: number } | undefined;
  /** As in `queue:orders`. */
  readonly to: string;
  /** How often it was tried. */
  readonly attempts: number;
  /** What it failed with last, as text. */
  readonly error: string;
  /** The application's own. */
  readonly headers: Headers;
  /** The MIME type of `body`. */
  readonly contentType: string;
  /** Byte for byte as it would have been sent. */
  readonly body: Uint8Array;
}
/** What the store of a bus could not get sent. */
export interface ParkedMessages {
  /** Takes nothing away. By id; those of the outbox first. */
  list(options?: { readonly signal?: AbortSignal }): AsyncIterable<ParkedMessage>;
  /** Has them tried again, now, attempts counted anew. Gives the number. */
  release(which: "all" | readonly string[]): Promise<number>;
  /** Deletes them from the store: nobody gets them. Gives the number. */
  discard(which: "all" | readonly string[]): Promise<number>;
}

/** What a bus is made of, as plain data: for logs, diagrams and tests. */
export interface Description {
  /** Its name. */
  readonly bus: string;
  /** The name of its transport. */
  readonly transport: string;
  /** The name of its store. */
  readonly store: string;
  /** What the bus itself was told, with what stands for what it was not. */
  readonly settings: BusSettingsDescription;
  /** As they were declared. */
  readonly endpoints: readonly EndpointDescription[];
  /** What all that is sent passes, in order: the bus' own middleware, then its transforms. */
  readonly sendStages: readonly string[];
  /** Every contract that the bus knows. */
  readonly contracts: readonly ContractDescription[];
  /** Where each command and query goes, and by which rule. */
  readonly routes: readonly {
    readonly contract: string;
    readonly version: number;
    readonly to: string;
    readonly by: "contract" | "routes" | "endpoint";
  }[];
  /** What shall be at the broker, but for what lives with this process alone. */
  readonly topology: {
    /** As in `queue:orders`. */
    readonly queues: readonly string[];
    /** As in `topic:orders.submitted`. */
    readonly topics: readonly string[];
    /** From a topic to a queue, or to the topic of its base. */
    readonly bindings: readonly { readonly from: string; readonly to: string }[];
  };
}
/** What a bus was told, as plain data. */
export interface BusSettingsDescription {
  /** Before the name of every queue and topic; `""`: nothing. */
  readonly prefix: string;
  /** What `start()` does about queues and topics. */
  readonly deploy: "apply" | "check";
  /** How many messages may wait while the transport asks to wait. */
  readonly sendBuffer: number;
  /** The content type of what it writes. */
  readonly writes: string;
  /** The content types that it reads. */
  readonly reads: readonly string[];
  /** `{ routes }` as given: by address, the names of the contracts. */
  readonly routes: Readonly<Record<string, readonly string[]>>;
  /** `{ naming }` as given, functions by name; empty: by their own names. */
  readonly naming: Readonly<Record<string, unknown>>;
  /** Whether telemetry watches. */
  readonly telemetry: boolean;
  /** `{ host }` as given: what stands for this machine's own. */
  readonly host: Readonly<Record<string, unknown>>;
  /** Those of `clock`, `newId` and `random` that the application has replaced. */
  readonly replaced: readonly string[];
}
/** A contract, as plain data. */
export interface ContractDescription {
  /** What it was made by. */
  readonly kind: "command" | "event" | "query";
  /** As on the wire. */
  readonly name: string;
  /** With the name, what tells it from all others. */
  readonly version: number;
  /** The names of what it also is, nearest first. */
  readonly bases: readonly string[];
  /** Where it is published, and bound. */
  readonly topic: string;
}
/** What runs on an endpoint, as plain data. */
export interface ConsumerDescription {
  /** A consumer's or saga's own; a handler's the function's, or where that has none the contract's. */
  readonly name: string;
  /** `"batch"`: it handles several messages at once. */
  readonly kind: "handler" | "batch" | "saga";
  /** What it handles. Of a saga, but for its timeouts and what answers it. */
  readonly contracts: readonly { readonly name: string; readonly version: number }[];
  /** Of a batch alone. */
  readonly batch?: {
    /** At most so many messages. */
    readonly size: number;
    /** So long after its first message, at the latest. */
    readonly withinInMs: number;
    /** The function that gives the key that a batch has one of, by name; left out: a batch holds messages of any. */
    readonly by?: string;
    /** Whether each message is handled again alone after the batch has failed. */
    readonly alone: boolean;
  };
}
/** An endpoint, as plain data. */
export interface EndpointDescription {
  /** As it was declared. */
  readonly name: string;
  /** As in `queue:orders`. */
  readonly address: string;
  /** What it handles. */
  readonly contracts: readonly { readonly name: string; readonly version: number }[];
  /** What runs on it, as declared. */
  readonly consumers: readonly ConsumerDescription[];
  /** How many messages may be handled at once. */
  readonly concurrency: number;
  /** How many may have come without being settled. */
  readonly prefetch: number;
  /** In the order in which a message passes them. */
  readonly stages: readonly string[];
  /** Middleware around what its handlers send, in order. */
  readonly sendMiddleware: readonly string[];
  /** The other options that it was given, as plain data: durations as written, a retry policy in words, functions by name. */
  readonly settings: Readonly<Record<string, unknown>>;
}
/** `degraded`: working on, with something down, paused or tripped. */
export type HealthStatus = "healthy" | "degraded" | "unhealthy";
/** How a bus is. */
export interface Health {
  /** Its worst part's: an endpoint is `degraded` at worst, a broker or database that is away mostly `unhealthy`. */
  readonly status: HealthStatus;
  /** The transport, the store, what waits in it, and each endpoint. */
  readonly parts: readonly {
    /** As in `transport memory`, `outbox`, or the name of an endpoint. */
    readonly name: string;
    /** Its own. */
    readonly status: HealthStatus;
    /** Why it is not healthy. */
    readonly reason?: string;
    /** Of `outbox` and `schedules`: what waits in the store. */
    readonly backlog?: Backlog;
    /** Of the transport, where it keeps some: for RabbitMQ its `RabbitmqCounts`. */
    readonly counts?: TransportCounts;
  }[];
}
/** How a bus is stopped. */
export interface StopOptions {
  /** How long handlers may finish; then `ctx.signal` aborts. 30 s. */
  readonly deadline?: Duration;
}

/** The operator's part of a bus. An endpoint that this bus does not have: `UnknownEndpointError`. */
export interface Control {
  /** Takes nothing more; resolves when nothing is in flight. Of this process; lasts until `resume` or a restart. */
  pause(endpoint: string): Promise<void>;
  /** Takes messages again. */
  resume(endpoint: string): Promise<void>;
  /** How many messages are where. */
  counts(endpoint: string): Promise<Counts>;
  /** What the endpoint has done in this process. */
  statistics(endpoint: string): EndpointStatistics;
  /** What the endpoint has given up. */
  errors(endpoint: string): ErrorQueue;
  /** What came to the endpoint and no handler there is for: to be put back once there is one. */
  skipped(endpoint: string): ErrorQueue;
  /** What was committed and could not be sent. */
  parked(): ParkedMessages;
  /** What the bus is made of. */
  describe(): Description;
  /** What is known now; asks nobody. */
  health(): Health;
  /**
   * Queues, topics, bindings, tables. `plan` says what would change, `check` rejects if anything is missing and needs
   * no right to manage, `apply` does it. Needs no `start()`; it connects, so `stop()` a bus that is not started.
   *
   * @throws {TopologyError} from `check`, for what is missing or different; from `apply`, for what is different
   */
  deploy(mode: DeployMode): Promise<readonly Change[]>;
}
