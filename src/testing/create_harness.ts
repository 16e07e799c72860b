/** Starting a bus under test. @module */
import type { Bus } from "../bus/bus.ts";
import type { Runnable } from "../pipeline/consumer.ts";
import { MessageBus } from "../bus/message_bus.ts";
import type { Command } from "../contracts/command.ts";
import type { Contract } from "../contracts/contract.ts";
import { definitionOf } from "../contracts/definition.ts";
import type { Event } from "../contracts/event.ts";
import { ConfigurationError } from "../errors/configuration.ts";
import { shown } from "../errors/shown.ts";
import type {
  PublishOptions,
  RequestOptions,
  ScheduleOptions,
  ScheduleToken,
  SendOptions,
  When,
} from "../pipeline/sending.ts";
import type { Admin } from "../spi/transport.ts";
import { type Duration, milliseconds } from "../values/duration.ts";
import { checkOptionNames, type OptionNames } from "../values/option_names.ts";
import { randomBytes, seededRandom } from "../values/random.ts";
import { createUuidV7 } from "../values/uuid_v7.ts";
import { checkConfigured } from "./configured.ts";
import type { TestHarness } from "./harness.ts";
import { harnessOptionNames, type HarnessOptions } from "./harness_options.ts";
import { testBroker, testDefaults, testTransport } from "./in_memory.ts";
import { type MessageQuery, TimelineQuery } from "./queries.ts";
import type { Shape } from "../sagas/context.ts";
import type { Saga } from "../sagas/saga.ts";
import { type SagaProbe, SagaProbes } from "./saga_probe.ts";
import { type Settled, Settling } from "./settling.ts";
import { type StubReply, Stubs } from "./stub.ts";
import { type Happening, Timeline } from "./timeline.ts";
import { VirtualClock } from "./virtual_clock.ts";

const defaultTimeout = "5s";

const settledNames: OptionNames<{ readonly timeout?: Duration }> = { timeout: true };

/**
 * Starts a bus under test.
 *
 * @param consumers what it runs, or all that a harness may say
 * @throws {ConfigurationError} if an option cannot be used; what `configure` and `bus.start()` throw
 * @example
 * ```ts
 * import { consumer, event } from "@hero/messaging";
 * import { createTestHarness } from "@hero/messaging/testing";
 *
 * const OrderSubmitted = event<{ orderId: string }>("orders.submitted");
 * const OrderAccepted = event<{ orderId: string }>("orders.accepted");
 * const accept = consumer(OrderSubmitted, (order, ctx) => ctx.publish(OrderAccepted, order));
 *
 * await using harness = await createTestHarness(accept);
 * await harness.publish(OrderSubmitted, { orderId: "1" });
 * await harness.settled();
 * harness.consumed(OrderSubmitted).one();
 * harness.published(OrderAccepted).one((order) => order.orderId === "1");
 * ```
 */
export function createTestHarness<Tx = undefined>(options: HarnessOptions<Tx>): Promise<TestHarness<Tx>>;
/** Starts a bus under test that runs these consumers: see above. */
export function createTestHarness(...consumers: readonly Runnable<undefined>[]): Promise<TestHarness>;
export async function createTestHarness<Tx>(
  ...given: readonly (HarnessOptions<Tx> | Runnable<Tx>)[]
): Promise<TestHarness<Tx>> {
  const [first] = given;
  if (given.length > 1 && !given.every(isRunnable)) {
    throw new ConfigurationError(
      "Cannot make a test harness of consumers and options side by side. Say { consumers: [submitOrder], … }",
    );
  }
  const options: HarnessOptions<Tx> = first === undefined || isRunnable(first)
    ? { consumers: given.filter(isRunnable) }
    : first;
  const harness = new Harness(options);
  try {
    await harness.bus.start();
  } catch (error) {
    await harness[Symbol.asyncDispose]();
    throw error;
  }
  return harness;
}

function isRunnable<Tx>(given: HarnessOptions<Tx> | Runnable<Tx>): given is Runnable<Tx> {
  return typeof given === "object" && given !== null && "consume" in given;
}

/** See {@linkcode TestHarness}. */
class Harness<Tx> implements TestHarness<Tx> {
  readonly bus: MessageBus<Tx>;
  readonly clock: VirtualClock;
  readonly #timeline: Timeline;
  readonly #settling: Settling;
  readonly #stubs: Stubs;
  readonly #sagas: SagaProbes;
  readonly #timeoutInMs: number;

  constructor(options: HarnessOptions<Tx>) {
    refuseOwned(options);
    checkOptionNames(options, harnessOptionNames, "a test harness");
    const { consumers = [], configure, seed = 1, start, byReference = false, timeout, ...rest } = options;
    if (!Array.isArray(consumers) || (configure !== undefined && typeof configure !== "function")) {
      throw new ConfigurationError(
        Array.isArray(consumers)
          ? `Cannot use { configure } of a test harness: ${shown(configure)} is no function. Write (bus) => { … }`
          : `Cannot use { consumers } of a test harness: they are no list. Give one, as in consumers: [submitOrder]`,
      );
    }
    this.#timeoutInMs = milliseconds(timeout ?? defaultTimeout, "{ timeout } of a test harness");
    this.clock = new VirtualClock(start === undefined ? {} : { start });
    const random = seededRandom(seed);
    const transport = testTransport(testBroker(byReference));
    this.bus = new MessageBus<Tx>(
      {
        name: "test",
        ...rest,
        transport,
        clock: this.clock,
        random,
        newId: createUuidV7(this.clock, randomBytes(random)),
      },
      transport,
      // What moves by reference is frozen: nobody changes it.
      byReference ? { ...testDefaults, shown: (message) => message } : testDefaults,
    );
    this.#timeline = new Timeline(this.clock);
    this.bus.observe(this.#timeline.observer(this.bus.name));
    this.#sagas = new SagaProbes(this.clock, this.#timeline);
    this.bus.observe(this.#sagas.observer);
    this.#settling = new Settling({
      clock: this.clock,
      timeline: this.#timeline,
      buses: [settledOf(this.bus, transport.admin)],
    });
    // What a stub handles needs no transaction.
    this.#stubs = new Stubs(this.bus as Bus<unknown>, options.prefix ?? "");
    for (const consumer of consumers) this.bus.add(consumer);
    checkConfigured(configure?.(this.bus), "a test harness");
  }

  publish<In>(event: Event<In, unknown>, message: NoInfer<In>, options?: PublishOptions<Tx>): Promise<void> {
    return this.bus.publish(event, message, options);
  }
  send<In>(command: Command<In, unknown, unknown>, message: NoInfer<In>, options?: SendOptions<Tx>): Promise<void> {
    return this.bus.send(command, message, options);
  }
  request<In, Reply>(
    contract: Contract<In, unknown, Reply, "command" | "query">,
    message: NoInfer<In>,
    options?: RequestOptions,
  ): Promise<Reply> {
    const answer = this.bus.request(contract, message, options);
    // Settled without an answer, it may still come: when the test advances the clock.
    const settled = this.settled().then(() => answer);
    return Promise.race([answer, settled]);
  }
  schedule<In>(
    contract: Contract<In, unknown, unknown, "command" | "event">,
    message: NoInfer<In>,
    when: When,
    options?: ScheduleOptions<Tx>,
  ): Promise<ScheduleToken> {
    return this.bus.schedule(contract, message, when, options);
  }
  unschedule(token: ScheduleToken): Promise<void> {
    return this.bus.unschedule(token);
  }

  async settled(options: { readonly timeout?: Duration } = {}): Promise<void> {
    checkOptionNames(options, settledNames, "settled()");
    await this.#settling.settle(
      options.timeout === undefined ? this.#timeoutInMs : milliseconds(options.timeout, "{ timeout } of settled()"),
    );
  }
  async advance(duration: Duration): Promise<void> {
    await this.#settling.advance(this.clock.now() + milliseconds(duration, "what to advance by"), this.#timeoutInMs);
  }

  sent<In>(contract: Contract<In, unknown, unknown, "command" | "query">): MessageQuery<In> {
    if (definitionOf(contract, "the contract to look for").kind !== "event") {
      return this.#query(contract, ["sent", "requested"], "sent");
    }
    throw new ConfigurationError(
      `Cannot look for "${contract.name}" in what was sent: it is an event. See published()`,
    );
  }
  published<In>(event: Event<In, unknown>): MessageQuery<In> {
    const { kind, name } = definitionOf(event, "the event to look for");
    if (kind === "event") return this.#query(event, ["published"], "published");
    throw new ConfigurationError(`Cannot look for "${name}" in what was published: it is a ${kind}. See sent()`);
  }
  refused<In>(contract: Contract<In, unknown, unknown>): MessageQuery<In> {
    return this.#query(contract, ["refused"], "refused");
  }
  consumed<Out>(contract: Contract<never, Out, unknown>): MessageQuery<Out> {
    return this.#query(contract, ["consumed"], "consumed");
  }
  faulted<Out>(contract: Contract<never, Out, unknown>): MessageQuery<Out> {
    return this.#query(contract, ["faulted"], "faulted");
  }
  retried<Out>(contract: Contract<never, Out, unknown>): MessageQuery<Out> {
    return this.#query(contract, ["retried", "redelivered"], "retried");
  }
  unhandled<Out>(contract: Contract<never, Out, unknown>): MessageQuery<Out> {
    return this.#query(contract, unhandled, "unhandled");
  }
  #query<Message>(contract: Contract, what: readonly Happening[], called: string): MessageQuery<Message> {
    return new TimelineQuery<Message>(this.#timeline, contract, what, called);
  }

  saga<S extends Shape>(saga: Saga<S>, id: string): SagaProbe<S> {
    const { name } = saga;
    // Of one that does not run, `never()` would hold whatever happens.
    if (!this.#sagas.knows(name) && !this.#runs(name)) {
      throw new ConfigurationError(
        `Cannot look for an instance of the saga "${name}": the harness does not run it. Give it to createTestHarness()`,
      );
    }
    return this.#sagas.of<S>(name, id);
  }
  #runs(saga: string): boolean {
    const consumers = this.bus.describe().endpoints.flatMap(({ consumers }) => consumers);
    return consumers.some(({ kind, name }) => kind === "saga" && name === saga);
  }

  async stub<Out, Reply>(
    contract: Contract<never, Out, Reply, "command" | "query">,
    reply: NoInfer<StubReply<Out, Reply>>,
  ): Promise<void> {
    await this.#stubs.add(contract, reply);
  }
  timeline(): Timeline {
    return this.#timeline;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#settling.close();
    await this.bus.stop({ deadline: 0 });
  }
}

/** What a harness has by itself, and what it makes by itself. */
function refuseOwned(options: object): void {
  if (typeof options !== "object" || options === null) return;
  if ("endpoint" in options && "start" in options) {
    throw new ConfigurationError(
      "Cannot test a bus that is made already: a test harness makes one, in memory. " +
        "Say { configure }, the function that puts your endpoints on a bus",
    );
  }
  const owned = ["transport", "clock", "newId", "random"].find((name) => Object.hasOwn(options, name));
  if (owned === undefined) return;
  throw new ConfigurationError(`Cannot give a test harness a { ${owned} }: it has one of its own. Leave it out`);
}

const unhandled: readonly Happening[] = [
  "skipped",
  "expired",
  "deferred",
  "duplicate",
  "forwarded",
  "lost",
  "released",
  "missing",
  "stale",
];

function settledOf(bus: Pick<MessageBus<unknown>, "name" | "life">, admin: Admin | undefined): Settled {
  return {
    name: bus.name,
    get activity() {
      return bus.life.activity;
    },
    waiting: async (queue) => (await admin?.count(queue))?.waiting ?? 0,
  };
}
