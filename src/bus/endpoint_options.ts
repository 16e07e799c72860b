/** What an endpoint may say. @module */
import type { Kind } from "../contracts/contract.ts";
import type { CircuitBreakerOptions } from "../pipeline/circuit_breaker.ts";
import type { KillSwitchOptions } from "../pipeline/kill_switch.ts";
import type { RateLimitOptions } from "../pipeline/rate_limit.ts";
import type { Recoverability, RecoveryNow } from "../pipeline/recoverability.ts";
import type { RetryPolicy } from "../pipeline/retry.ts";
import type { Extension } from "../spi/transport.ts";
import { type Duration, milliseconds } from "../values/duration.ts";
import type { OptionNames } from "../values/option_names.ts";

const defaultInboxWindow = "7d";

/** How an endpoint's units of work differ from those of `{ outbox: true }`. */
export interface OutboxSettings {
  /** How many messages share a commit, each on a savepoint of its own: one's failure is its own. Left out: 1. */
  readonly group?: number;
  /**
   * For how long the inbox knows a message, from when it was handled: longer than it may take to come again. Left out:
   * 7 days.
   */
  readonly inboxWindow?: Duration;
}
/**
 * `true`: inbox, handler and outbox commit in one store transaction, which is `ctx.tx`. `{ group: n }`: one for up to n
 * messages, each on its savepoint: one's failure is its own; if the commit fails, each is run again alone.
 * `{ inboxWindow }`: how long the inbox knows a message. `"memory"`: messages leave once the handler has succeeded,
 * nothing is stored. Sagas always have `true`, queries never.
 */
export type Outbox = boolean | "memory" | OutboxSettings;
/** `ctx.tx` of an endpoint. */
export type TxOf<Box extends Outbox, Tx> = Box extends true | object ? Tx : undefined;
/** `ctx.tx` of a handler: queries get neither inbox nor transaction. */
export type TxFor<K extends Kind, Tx> = K extends "query" ? undefined : Tx;

/** What an endpoint may say, but for order and what may break it. */
export interface EndpointSettings<out Box extends Outbox = Outbox> {
  /** How many messages may be handled at once. 16. */
  readonly concurrency?: number;
  /** How many may have come without being settled. Left out: four times the concurrency, at least what a batch takes. */
  readonly prefetch?: number;
  /** Retries in this process: they hold the delivery and its place. Left out: none. */
  readonly retry?: RetryPolicy;
  /** What becomes true together with the handling, as {@linkcode Outbox} says. Left out: `false`, nothing. */
  readonly outbox?: Box;
  /** How long an attempt may take; then it fails with `HandlerTimeoutError`, and `ctx.signal` aborts. */
  readonly timeout?: Duration;
  /** Takes nothing while too much fails. */
  readonly circuitBreaker?: CircuitBreakerOptions;
  /** Stops the endpoint for a time when too much fails. */
  readonly killSwitch?: KillSwitchOptions;
  /** So many messages in a time, at most. */
  readonly rateLimit?: RateLimitOptions;
  /** A copy of every message that has been handled goes there. */
  readonly audit?: `queue:${string}`;
  /** Whether what is given up is published as a fault. `true`. Who asked is told in any case. */
  readonly publishFaults?: boolean;
  /**
   * Whether what is given up is kept in `<endpoint>_error`, and what no handler is for in `<endpoint>_skipped`. `true`;
   * `false`: it is counted, told of, and gone.
   */
  readonly keepFailed?: boolean;
  /** What becomes of messages that have expired. `"discard"`: they are counted. `"error"`: they go to the error queue. */
  readonly expired?: "discard" | "error";
  /**
   * Whose queue it is. `"shared"`: all processes compete for it. `"instance"`: each process has one of its own, and
   * gets every event (fan-out); it is gone with the bus. `"shared"` unless said otherwise.
   */
  readonly queue?: "shared" | "instance";
  /** Whether the queue is bound to the topics of what is handled. `true`; `false`: only what is sent to it comes. */
  readonly subscribe?: boolean;
  /** How long a message may be held at the most, retries included. 5 min; never less than the timeout. */
  readonly hold?: Duration;
  /** The transport's own settings: `rabbitmq.queue({ … })`. */
  readonly extensions?: readonly Extension[];
}
/** Later tries: the message goes back to the broker meanwhile, and others may pass it. */
export interface Unordered {
  /** In this process, messages of a key are handled in order anyway. */
  readonly order?: undefined;
  /** Waits before each later try, after the retries are spent: `["1m", "1h"]`. */
  readonly redeliver?: readonly Duration[];
  /** Instead of `retry` and `redeliver`. */
  readonly recoverability?: Recoverability;
  /** Without an order nothing is overtaken. */
  readonly overtaking?: undefined;
}
/** Messages of one key in order, across all processes. */
export interface Ordered {
  /** By the key that the contract gives. */
  readonly order: "key";
  /** Would let later messages of the key pass: say `overtaking` then. */
  readonly redeliver?: undefined;
  /** Instead of `retry`. */
  readonly recoverability?: Recoverability<RecoveryNow>;
  /** Nothing passes. */
  readonly overtaking?: undefined;
}
/** In order, but for messages that wait for a later try. */
export interface OrderedWithOvertaking {
  /** By the key that the contract gives. */
  readonly order: "key";
  /** Waits before each later try, after the retries are spent. */
  readonly redeliver?: readonly Duration[];
  /** Instead of `retry` and `redeliver`. */
  readonly recoverability?: Recoverability;
  /** What waits for a later try, or is put off, is passed by others of its key. */
  readonly overtaking: "allowed";
}
/** What an endpoint may say. */
export type EndpointOptions<Box extends Outbox = Outbox> =
  & EndpointSettings<Box>
  & (Unordered | Ordered | OrderedWithOvertaking);

/** What {@linkcode EndpointOptions} may name. */
export const endpointOptionNames: OptionNames<EndpointOptions> = {
  concurrency: true,
  prefetch: true,
  retry: true,
  redeliver: true,
  recoverability: true,
  order: true,
  overtaking: true,
  outbox: true,
  timeout: true,
  circuitBreaker: true,
  killSwitch: true,
  rateLimit: true,
  audit: true,
  publishFaults: true,
  keepFailed: true,
  expired: true,
  queue: true,
  subscribe: true,
  hold: true,
  extensions: true,
};
/** What {@linkcode OutboxSettings} may name. */
export const outboxSettingNames: OptionNames<OutboxSettings> = { group: true, inboxWindow: true };

/** For how long its inbox knows a message, in milliseconds. */
export function inboxWindowOf({ outbox }: EndpointOptions, endpoint: string): number {
  const given = typeof outbox === "object" ? outbox.inboxWindow : undefined;
  return milliseconds(given ?? defaultInboxWindow, `{ inboxWindow } of the endpoint "${endpoint}"`);
}

/** Whether its messages are handled in units of work. */
export function isStored({ outbox }: EndpointOptions): boolean {
  return outbox === true || (typeof outbox === "object" && outbox !== null);
}
