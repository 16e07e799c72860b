/** Sagas described, drawn and checked from their definition. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { instance } from "@viz-js/viz";
import { event, saga, type } from "../../mod.ts";
import { describe } from "../../src/sagas/description.ts";
import { toGraphviz, toMermaid } from "../../src/sagas/diagram.ts";
import type { SagaDefinition } from "../../src/sagas/definition.ts";
import { definitionOfSaga } from "../../src/sagas/saga.ts";
import { verify } from "../../src/sagas/verification.ts";
import { test } from "../support/runner.ts";
import { OrderSaga } from "./order_saga.ts";

function definitionOf(made: unknown): SagaDefinition {
  const definition = definitionOfSaga(made);
  assert(definition !== undefined);
  return definition;
}

const order = definitionOf(OrderSaga);

test("a description has all states, and the transitions between them", () => {
  const { states, transitions, events, timeouts } = describe(order);
  assertEquals(
    states.map(({ name, parent }) => parent === undefined ? name : `${name} in ${parent}`),
    [
      "initial",
      "awaitingPayment",
      "checking",
      "processing",
      "processing.packing in processing",
      "cancelled",
      "final",
    ],
  );
  assertEquals(
    transitions.map(({ from, to, on, filtered }) => `${from} -> ${to}: ${on}${filtered ? ", if" : ""}`),
    [
      "initial -> awaitingPayment: submitted",
      "awaitingPayment -> checking: paid, if",
      "checking -> processing: addresses.check completed",
      "checking -> cancelled: addresses.check completed",
      "checking -> cancelled: addresses.check faulted",
      "checking -> cancelled: addresses.check timed out",
      "awaitingPayment -> cancelled: timeout paymentDue",
      "processing -> processing.packing: packed",
      "processing -> final: paid and packed",
      "awaitingPayment -> cancelled: cancelled",
      "checking -> cancelled: cancelled",
      "processing -> cancelled: cancelled",
    ],
  );
  assertEquals(events.map(({ name, contract, starts, by }) => [name, contract, starts, by]), [
    ["submitted", "orders.submitted", true, "id"],
    ["paid", "payments.received", false, "id"],
    ["packed", "stock.packed", false, "id"],
    ["cancelled", "orders.cancelled", false, "index"],
  ]);
  assertEquals(timeouts, [{ name: "paymentDue", inMs: 15 * 60_000 }]);
});

test("a description says what each state handles, and what not", () => {
  const { states } = describe(order);
  const of = (name: string) => states.find((state) => state.name === name);
  assertEquals(of("awaitingPayment")?.handles, ["paid", "cancelled"]);
  // What a composite waits for is counted in any state.
  assertEquals(of("awaitingPayment")?.unhandled, ["submitted"]);
  assertEquals(of("awaitingPayment")?.timeouts, ["paymentDue"]);
  assertEquals(of("processing.packing")?.handles, ["paid", "packed", "cancelled"]);
  assertEquals(of("initial")?.unhandled, []);
  assertEquals(states.filter(({ reachable }) => !reachable), []);
  assertEquals(states.filter(({ dead }) => dead).map(({ name }) => name), ["cancelled"]);
});

test("a diagram for Mermaid has a state within a state within it, and one arrow from each to each", () => {
  const text = toMermaid(order);
  assertStringIncludes(text, "stateDiagram-v2\n");
  assertStringIncludes(text, '    state "packing" as s4_processing_packing\n');
  assertStringIncludes(text, "  [*] --> s1_awaitingPayment: submitted\n");
  assertStringIncludes(text, "  s1_awaitingPayment --> s2_checking: paid [if]\n");
  assertStringIncludes(
    text,
    "  s2_checking --> s5_cancelled: addresses.check completed, addresses.check faulted, addresses.check timed out, cancelled\n",
  );
  assertStringIncludes(text, "  s3_processing --> [*]: paid and packed\n");
});

test("a diagram for Graphviz has each state and each arrow, whatever its name is made of", () => {
  const Odd = event<{ readonly id: string }>("odd.happened");
  const text = toGraphviz(definitionOf(saga("odd", {
    data: type<object>(),
    states: ['say "no"', "back\\slash"],
    events: (on) => ({ odd: on.start(Odd, (m) => m.id, () => ({})) }),
  }, ({ initially, during, when }) => [
    initially(when("odd").transitionTo('say "no"')),
    during('say "no"', when("odd").transitionTo("back\\slash")),
    during("back\\slash", when("odd").finalize()),
  ])));
  assertStringIncludes(text, 'digraph "odd" {');
  assertStringIncludes(text, '"say \\"no\\"" -> "back\\\\slash" [label="odd"];');
  assertStringIncludes(text, '"back\\\\slash" -> "final" [label="odd"];');
});

test("Graphviz renders a diagram, with each state and each arrow of it", async () => {
  const graphviz = await instance();
  const { status, errors, output = "" } = graphviz.render(toGraphviz(order), { format: "svg" });
  assertEquals([status, errors], ["success", []]);
  const of = (kind: string) => output.split(`class="${kind}"`).length - 1;
  const arrows = new Set(describe(order).transitions.map(({ from, to }) => `${from} ${to}`));
  assertEquals([of("node"), of("edge")], [describe(order).states.length, arrows.size]);
  assertEquals(graphviz.render("digraph { a -> -> b }").status, "failure");
});

test("verify finds nothing wrong with what is whole, and each kind of mistake", () => {
  const Began = event<{ readonly id: string }>("verified.began");
  const Went = event<{ readonly id: string }>("verified.went");
  const whole = saga("whole", {
    data: type<object>(),
    states: ["waiting", "leaving"],
    timeouts: { due: "1m" },
    events: (on) => ({ began: on.start(Began, (m) => m.id, () => ({})), went: on(Went, (m) => m.id) }),
  }, ({ initially, during, when, whenLeave, timeout }) => [
    initially(when("began").schedule("due").transitionTo("waiting")),
    during(
      "waiting",
      when("went").transitionTo("leaving"),
      whenLeave("waiting").unschedule("due"),
      timeout("due").finalize(),
    ),
    during("leaving", when("went").finalize()),
  ]);
  assertEquals(verify(definitionOf(whole)), []);
  const broken = saga("broken", {
    data: type<object>(),
    states: ["waiting", "stuck", "island"],
    timeouts: { due: "1m", never: "2m" },
    events: (on) => ({
      began: on.start(Began, (m) => m.id, () => ({})),
      went: on(Went, (m) => m.id),
    }),
  }, ({ initially, during, when, timeout }) => [
    initially(when("began").schedule("due").transitionTo("waiting")),
    during("waiting", timeout("due").finalize(), when("began").transitionTo("stuck")),
    during("island", when("began").finalize()),
  ]);
  assertEquals(verify(definitionOf(broken)).map(({ kind, subject }) => `${kind}: ${subject}`), [
    "no way out: stuck",
    "unreachable state: island",
    "timeout never cleared: due",
    "timeout never scheduled: never",
    "event never handled: went",
  ]);
  const asleep = saga("asleep", {
    data: type<object>(),
    states: ["waiting"],
    events: (on) => ({ began: on.start(Began, (m) => m.id, () => ({})) }),
  }, ({ during, when }) => [during("waiting", when("began").finalize())]);
  assertEquals(verify(definitionOf(asleep)).map(({ kind }) => kind), ["never begins"]);
});

test("verify sees a timeout that only one way through a rule takes back", () => {
  const Began = event<{ readonly id: string }>("verified.began");
  const Went = event<{ readonly id: string }>("verified.went");
  const findings = (taken: "sometimes" | "always") =>
    verify(definitionOf(saga("timed", {
      data: type<object>(),
      states: ["waiting", "leaving"],
      timeouts: { due: "1m" },
      events: (on) => ({ began: on.start(Began, (m) => m.id, () => ({})), went: on(Went, (m) => m.id) }),
    }, ({ initially, during, when, timeout }) => [
      initially(when("began").schedule("due").transitionTo("waiting")),
      during(
        "waiting",
        timeout("due").finalize(),
        (taken === "sometimes"
          ? when("went").if(() => true, (then) => then.unschedule("due"))
          : when("went").ifElse(() => true, (then) => then.unschedule("due"), (other) => other.unschedule("due")))
          .transitionTo("leaving"),
      ),
      during("leaving", when("went").finalize()),
    ]))).map(({ kind }) => kind);
  assertEquals(findings("sometimes"), ["timeout never cleared"]);
  assertEquals(findings("always"), []);
});

test("what completes by a condition has a way out of every state", () => {
  const Began = event<{ readonly id: string }>("counted.began");
  const counted = saga("counted", {
    data: type<{ left: number }>(),
    states: ["counting"],
    events: (on) => ({ began: on.start(Began, (m) => m.id, () => ({ left: 3 })) }),
  }, ({ initially, during, when, completedWhen }) => [
    initially(when("began").transitionTo("counting")),
    during("counting", when("began").then((ctx) => void ctx.saga.left--)),
    completedWhen((data) => data.left === 0),
  ]);
  assertEquals(verify(definitionOf(counted)), []);
});
