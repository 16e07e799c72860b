/** A bus under test. @module */
import type { Bus } from "../bus/bus.ts";
import type { Command } from "../contracts/command.ts";
import type { Contract } from "../contracts/contract.ts";
import type { Event } from "../contracts/event.ts";
import type {
  PublishOptions,
  RequestOptions,
  ScheduleOptions,
  ScheduleToken,
  SendOptions,
  When,
} from "../pipeline/sending.ts";
import type { Duration } from "../values/duration.ts";
import type { MessageQuery } from "./queries.ts";
import type { Shape } from "../sagas/context.ts";
import type { Saga } from "../sagas/saga.ts";
import type { SagaProbe } from "./saga_probe.ts";
import type { StubReply } from "./stub.ts";
import type { Timeline } from "./timeline.ts";
import type { VirtualClock } from "./virtual_clock.ts";

/**
 * A bus under test: on a broker of its own in this process, with a clock that moves when the test says so. Nothing waits
 * in real time but for what handlers do in real time.
 */
export interface TestHarness<in out Tx = undefined> extends AsyncDisposable {
  /** It runs. */
  readonly bus: Bus<Tx>;
  /** Handlers under test may wait on it: `await harness.clock.delay("1h")`. */
  readonly clock: VirtualClock;
  /** As `bus.publish`. */
  publish<In>(event: Event<In, unknown>, message: NoInfer<In>, options?: PublishOptions<Tx>): Promise<void>;
  /** As `bus.send`. */
  send<In>(command: Command<In, unknown, unknown>, message: NoInfer<In>, options?: SendOptions<Tx>): Promise<void>;
  /**
   * As `bus.request`, and lets everything settle meanwhile: an answer that takes retries is waited for. A request that
   * nobody answers times out when the clock is advanced.
   *
   * @throws {HarnessTimeoutError} if something does not end before there is an answer
   */
  request<In, Reply>(
    contract: Contract<In, unknown, Reply, "command" | "query">,
    message: NoInfer<In>,
    options?: RequestOptions,
  ): Promise<Reply>;
  /** As `bus.schedule`; it is due when the clock is advanced. */
  schedule<In>(
    contract: Contract<In, unknown, unknown, "command" | "event">,
    message: NoInfer<In>,
    when: When,
    options?: ScheduleOptions<Tx>,
  ): Promise<ScheduleToken>;
  /** As `bus.unschedule`. */
  unschedule(token: ScheduleToken): Promise<void>;
  /**
   * Resolves when no message is being sent, handled or settled, or could be: exactly then, not after a quiet time.
   *
   * The clock is advanced for waits that hold a delivery: retries in process, batches that wait for more, gates,
   * `harness.clock.delay()` in a handler. It is not for what is at the broker: redelivery, `delay`, schedules; nor for
   * requests from outside. What a handler does in real time is waited for, and while it does, no timeout passes on the
   * virtual clock, unless nothing else ends it within `timeout`.
   *
   * @param options `timeout`: how long it waits, in real time; left out: the harness', 5 s
   * @throws {HarnessTimeoutError} with what does not end
   */
  settled(options?: { readonly timeout?: Duration }): Promise<void>;
  /**
   * Lets virtual time pass. What is due meanwhile happens in order of time, and all goes as far as it can between one
   * time and the next; what a handler does in real time is not waited for: await `settled()` then.
   *
   * @throws {InvalidDurationError} if it is negative or malformed
   */
  advance(duration: Duration): Promise<void>;
  /** Commands and queries that were sent or requested, and that the broker took. */
  sent<In>(contract: Contract<In, unknown, unknown, "command" | "query">): MessageQuery<In>;
  /** Events that were published, faults among them (`fault(Contract)`), and that the broker took. */
  published<In>(event: Event<In, unknown>): MessageQuery<In>;
  /**
   * Messages that were sent or published, and that the broker did not take, with the `error`: mostly a command that no
   * endpoint handles. Where an outbox sent it, whoever did was told nothing: what was handled meanwhile is consumed all
   * the same, and the message is parked. One for each attempt.
   */
  refused<In>(contract: Contract<In, unknown, unknown>): MessageQuery<In>;
  /** Messages whose handlers have all succeeded; one of them for each endpoint. See also `refused`. */
  consumed<Out>(contract: Contract<never, Out, unknown>): MessageQuery<Out>;
  /** Messages that an endpoint has given up, with the `error`. */
  faulted<Out>(contract: Contract<never, Out, unknown>): MessageQuery<Out>;
  /** Attempts that failed and were, or are to be, followed by another, with the `error`. */
  retried<Out>(contract: Contract<never, Out, unknown>): MessageQuery<Out>;
  /**
   * Messages that left an endpoint unhandled: skipped, expired, deferred, duplicate, forwarded, lost, released, missing
   * an instance or stale. `what` of each says which.
   */
  unhandled<Out>(contract: Contract<never, Out, unknown>): MessageQuery<Out>;
  /**
   * An instance of a saga: its state, its data and what has happened to it.
   *
   * @param id by which its events are correlated
   */
  saga<S extends Shape>(saga: Saga<S>, id: string): SagaProbe<S>;
  /**
   * Stands in for the owner of a contract that is not under test. A second stub takes the place of the first.
   *
   * @param reply what it answers, or how it finds the answer; what that throws, it fails with
   */
  stub<Out, Reply>(
    contract: Contract<never, Out, Reply, "command" | "query">,
    reply: NoInfer<StubReply<Out, Reply>>,
  ): Promise<void>;
  /** What has happened to messages. Prints as a table. */
  timeline(): Timeline;
}
