/** Saga state machines. @module */
import { ConfigurationError } from "../errors/configuration.ts";
import type { Consumer } from "../pipeline/consumer.ts";
import { buildSaga } from "./build.ts";
import type { Shape } from "./context.ts";
import type { Correlation, IndexOf } from "./correlation.ts";
import type { SagaDefinition } from "./definition.ts";
import { describe, type SagaDescription } from "./description.ts";
import { toGraphviz, toMermaid } from "./diagram.ts";
import type { SagaOptions } from "./options.ts";
import {
  type RecordedSagaHistory,
  type SagaHistoryFinding,
  verifyHistory as historyFindingsOf,
} from "./history_verification.ts";
import type { Behavior, Rules } from "./rules.ts";
import { type SagaFinding, verify as findingsOf } from "./verification.ts";

/** The shape of a saga with these data, states, events and timeouts. */
export interface SagaShape<Data, State, Events, Timeout> {
  /** What an instance holds. */
  readonly data: Data;
  /** The names of its states. */
  readonly state: State;
  /** Its events, by name. */
  readonly events: Events;
  /** Their names. */
  readonly event: keyof Events & string;
  /** The names of its timeouts. */
  readonly timeout: Timeout;
}

/** A saga: `bus.add(OrderSaga)`, or `.add(OrderSaga)` on an endpoint. */
export interface Saga<S extends Shape> extends Consumer {
  /** Never set; carries the types. */
  readonly "~shape"?: S | undefined;
  /** What it is made of, as plain data: states, events, and which lead where. Nothing of it is run. */
  describe(): SagaDescription;
  /** Its states and what leads from one to another, as a state diagram of Mermaid (https://mermaid.js.org). */
  toMermaid(): string;
  /** The same as a graph in the language of Graphviz (https://graphviz.org). */
  toGraphviz(): string;
}

/** Shared by all loaded copies of the package. */
const brand: unique symbol = Symbol.for("@hero/messaging/saga");
interface Made {
  readonly [brand]: SagaDefinition;
}

/**
 * Makes a saga: a state machine whose instances live in the bus' store. Each message that comes to an instance is
 * handled in a unit of work: its state, its timeouts and what it sends are committed together, or nothing is.
 *
 * @param name names its endpoint, and its instances in the store: another name is another saga
 * @param options its data, states, events and timeouts
 * @param rules says what happens; called once, here
 * @throws {InvalidNameError} if the name cannot be that of a queue
 * @throws {ConfigurationError} for rules and options that cannot work
 * @example
 * ```ts
 * import { command, event, saga, type } from "@hero/messaging";
 *
 * const OrderSubmitted = event<{ orderId: string; total: number }>("orders.submitted");
 * const PaymentReceived = event<{ orderId: string; paymentId: string }>("payments.received");
 * const OrderCancelled = event<{ orderId: string }>("orders.cancelled");
 * const RefundPayment = command<{ paymentId: string }>("payments.refund");
 *
 * const OrderSaga = saga("order", {
 *   data: type<{ total: number; paymentId?: string }>(),
 *   states: ["awaitingPayment", "paid"],
 *   timeouts: { paymentDue: "15m" },
 *   events: (on) => ({
 *     submitted: on.start(OrderSubmitted, (m) => m.orderId, (m) => ({ total: m.total })),
 *     paid: on(PaymentReceived, (m) => m.orderId),
 *   }),
 * }, ({ initially, during, when, timeout }) => [
 *   initially(when("submitted").schedule("paymentDue").transitionTo("awaitingPayment")),
 *   during(
 *     "awaitingPayment",
 *     when("paid")
 *       .unschedule("paymentDue")
 *       .then((ctx) => {
 *         ctx.saga.paymentId = ctx.message.paymentId;
 *       })
 *       .compensateWith("payment", (undo) => undo.send(RefundPayment, (ctx) => ({ paymentId: ctx.message.paymentId })))
 *       .transitionTo("paid"),
 *     timeout("paymentDue").publish(OrderCancelled, (ctx) => ({ orderId: ctx.id })).finalize(),
 *   ),
 * ]);
 * ```
 */
export function saga<
  Data extends object,
  State extends string,
  Events extends { readonly [K in keyof Events]: Correlation },
  Timeout extends string = never,
  Index extends IndexOf<Data> = never,
>(
  name: string,
  options: SagaOptions<Data, State, Events, Timeout, Index>,
  rules: NoInfer<(rules: Rules<SagaShape<Data, State, Events, Timeout>>) => readonly Behavior[]>,
): Saga<SagaShape<Data, State, Events, Timeout>> {
  const definition = buildSaga(name, options, rules);
  const made: Saga<SagaShape<Data, State, Events, Timeout>> & Made = {
    name: definition.name,
    named: "itself",
    runs: "on one endpoint",
    contracts: [...definition.events.values()].map(({ contract }) => contract),
    consume: () => {
      throw new ConfigurationError(
        `The saga "${definition.name}" cannot handle messages by itself: it needs a bus with its store. ` +
          `Add it with bus.add(…), or to an endpoint`,
      );
    },
    describe: () => describe(definition),
    toMermaid: () => toMermaid(definition),
    toGraphviz: () => toGraphviz(definition),
    [brand]: definition,
  };
  return made;
}

/**
 * Looks for mistakes in a saga without running it: states that nothing leads to or out of, timeouts that are never
 * cleared, and their like.
 *
 * @returns empty where nothing was found
 * @throws {ConfigurationError} if it is no saga
 * @example
 * ```ts
 * import { event, saga, type, verify } from "@hero/messaging";
 *
 * const Begun = event<{ id: string }>("begun");
 * const Job = saga("job", {
 *   data: type<{ done: boolean }>(),
 *   states: ["running"],
 *   events: (on) => ({ begun: on.start(Begun, (m) => m.id, () => ({ done: false })) }),
 * }, ({ initially, when }) => [initially(when("begun").transitionTo("running"))]);
 *
 * for (const { kind, message } of verify(Job)) console.warn(kind, message);
 * ```
 */
export function verify(saga: Saga<Shape>): readonly SagaFinding[] {
  const definition = definitionOfSaga(saga);
  if (definition !== undefined) return findingsOf(definition);
  throw new ConfigurationError("Cannot verify this: it is no saga. Give what saga(…) made");
}

/**
 * Looks whether what instances have done is still possible by a saga that was changed since: that each state is there,
 * that each event, timeout and answer is still taken where it was, and may still lead where it led. For CI, with
 * histories of a saga with `history: true`, kept as JSON.
 *
 * Nothing of the saga is run, as its steps may have effects. So it does not see what steps, filters and the conditions
 * of branches say: whether one of the ways that are there is taken for these data. Nor does it see data, which a history
 * does not hold: whether `upgrades` and the schema read what is stored, which `bus.sagas(saga).get(id)` tells; nor
 * the steps that open requests and compensations go on with, and undos, which are known by key and by name. An entry of
 * a compensation (`kind: "compensate"`) does not tell which undo ran: it is held to all ways that any rule or undo of
 * the saga has, and so finds less than the others.
 *
 * @param recorded by the id: what `bus.sagas(saga).history(id)` has given
 * @returns for each instance the first entry that is not possible any more; empty where all are
 * @throws {ConfigurationError} if it is no saga
 * @example
 * ```ts
 * import { event, saga, type, verifyHistory } from "@hero/messaging";
 *
 * const Begun = event<{ id: string }>("begun");
 * const Job = saga("job", {
 *   data: type<object>(),
 *   states: ["running"],
 *   history: true,
 *   events: (on) => ({ begun: on.start(Begun, (m) => m.id, () => ({})) }),
 * }, ({ initially, when }) => [initially(when("begun").transitionTo("running"))]);
 *
 * const recorded = JSON.parse("[]"); // of a file: [{ id, entries }]
 * for (const { id, message } of verifyHistory(Job, recorded)) console.error(id, message);
 * ```
 */
export function verifyHistory(
  saga: Saga<Shape>,
  recorded: Iterable<RecordedSagaHistory>,
): readonly SagaHistoryFinding[] {
  const definition = definitionOfSaga(saga);
  if (definition !== undefined) return historyFindingsOf(definition, recorded);
  throw new ConfigurationError("Cannot verify histories of this: it is no saga. Give what saga(…) made");
}

/** The definition of a saga, also of one from another copy of the package; `undefined`: it is none. */
export function definitionOfSaga(consumer: unknown): SagaDefinition | undefined {
  if (typeof consumer !== "object" || consumer === null || !(brand in consumer)) return undefined;
  return (consumer as Made)[brand]; // what has the brand is one
}
