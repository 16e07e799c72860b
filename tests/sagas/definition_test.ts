import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { ConfigurationError, InvalidDurationError, InvalidNameError, retry, saga, type, verify } from "../../mod.ts";
import { definitionOfSaga } from "../../src/sagas/saga.ts";
import { test } from "../support/runner.ts";
import { CardError, CheckAddress, Failed, GetState, Noted, Packed, Paid, Ship, Submitted, Undo } from "./orders.ts";

/** What JavaScript may hand over: the types refuse it, so they are left behind here. */
type Anything = (...args: readonly unknown[]) => unknown;
const anySaga = saga as unknown as Anything;

interface Words {
  readonly [word: string]: Anything;
}
interface AnySteps {
  readonly [step: string]: (...args: readonly unknown[]) => AnySteps;
}
type Write = (rules: Words) => unknown;
const steps = (rule: unknown): AnySteps => rule as AnySteps;

const options = {
  data: type<{ total: number }>(),
  states: ["a", "a.b", "c"],
  timeouts: { due: "15m" },
  events: (on: Words & Anything) => ({
    submitted: on["start"]!(Submitted, (m: { id: string }) => m.id, () => ({ total: 0 })),
    paid: on(Paid, (m: { id: string }) => m.id),
    asked: on(GetState, (m: { id: string }) => m.id),
  }),
};

function refused(write: Write, changed: object = {}): string {
  const error = assertThrows(() => anySaga("orders", { ...options, ...changed }, write), ConfigurationError);
  assertStringIncludes(error.message, '"orders"');
  return error.message;
}
/** What is said of one rule in `during("a", …)`. */
function refusedRule(rule: (rules: Words) => unknown): string {
  return refused((rules) => [rules["during"]!("a", rule(rules))]);
}
const when = (rules: Words, ...args: readonly unknown[]) => steps(rules["when"]!(...args));

test("a saga that says what cannot be is refused where it is made", () => {
  assertThrows(() => anySaga("", options, () => []), InvalidNameError);
  assertStringIncludes(String(assertThrows(() => anySaga("orders"), ConfigurationError)), "needs options");
  assertStringIncludes(refused(() => [], { data: {} }), "not a Standard Schema");
  assertStringIncludes(refused(() => [], { states: "a" }), "no list");
  assertStringIncludes(refused(() => [], { states: ["a", ""] }), '"" is no name');
  assertStringIncludes(refused(() => [], { states: ["a", "a"] }), '"a" is there twice');
  assertStringIncludes(refused(() => [], { states: ["initial"] }), "the library's own");
  assertStringIncludes(refused(() => [], { states: ["a.b"] }), 'sub-state of "a", which is none');
  assertStringIncludes(refused(() => [], { states: ["a", "a..b"] }), "empty part");
  assertStringIncludes(refused(() => [], { states: ["constructor"] }), "property of every object");
  assertStringIncludes(refused(() => [], { timeouts: { __proto__: null, toString: 5 } }), "property of every object");
  assertThrows(() => anySaga("orders", { ...options, timeouts: { due: "-5s" } }, () => []), InvalidDurationError);
  assertStringIncludes(refused(() => [], { indexes: ["total", 5] }), "5 is no name");
  assertStringIncludes(refused(() => [], { finalized: "kept" }), 'Say one of "removed", "archived"');
  assertStringIncludes(refused(() => [], { concurrency: "none" }), 'it is "none"');
  assertStringIncludes(refused(() => [], { history: "yes" }), 'it is "yes"');
});

test("versions and upgrades fit together, or are refused", () => {
  const up = () => ({});
  assertStringIncludes(refused(() => [], { version: 0 }), "whole number from 1");
  assertStringIncludes(refused(() => [], { version: 2, upgrades: { 2: up } }), "from version 2 to one behind 2");
  assertStringIncludes(refused(() => [], { version: 2, upgrades: { one: up } }), "from version one");
  assertStringIncludes(refused(() => [], { version: 3, upgrades: { 1: up } }), "none reads version 2");
  assertStringIncludes(refused(() => [], { version: 2, upgrades: { 1: 5 } }), "is no function");
  const made = anySaga("orders", { ...options, version: 3, upgrades: { 2: up } }, (rules: Words) => [
    rules["initially"]!(rules["when"]!("submitted")),
  ]);
  assertEquals([...definitionOfSaga(made)!.upgrades.keys()], [2]);
});

test("events that are not correlated, or twice, are refused", () => {
  const id = (m: { id: string }) => m.id;
  assertStringIncludes(refused(() => [], { events: {} }), "no function");
  assertStringIncludes(refused(() => [], { events: () => undefined }), "there are none");
  assertStringIncludes(refused(() => [], { events: () => ({ paid: Paid }) }), '"paid" is not correlated');
  assertStringIncludes(refused(() => [], { events: (on: Anything) => ({ paid: on(Paid) }) }), "no function");
  assertStringIncludes(refused(() => [], { events: (on: Anything) => ({ paid: on({}, id) }) }), "not a contract");
  const missing = (on: Anything) => ({ paid: on(Paid, id, { onMissing: "drop" }) });
  assertStringIncludes(refused(() => [], { events: missing }), '{ onMissing: "drop" } is unknown');
  const twice = (on: Anything) => ({ paid: on(Paid, id), again: on(Paid, id) });
  assertStringIncludes(refused(() => [], { events: twice }), '"paid" and "again" are both "orders.paid"');
  const run = (on: Anything) => ({ paid: on(Paid, id, { onMissing: "run" }) });
  assertStringIncludes(refused(() => [], { events: run }), "nothing to run");
});

test("rules that name what is not there are refused", () => {
  assertStringIncludes(refused(() => undefined), "no list of initially");
  assertStringIncludes(refused(() => [{ rules: [] }]), "no list of initially");
  assertStringIncludes(refused((rules) => [rules["during"]!("d")]), 'the state "d"');
  assertStringIncludes(refused((rules) => [rules["during"]!([])]), "list of states is empty");
  assertStringIncludes(refused((rules) => [rules["during"]!("a", {})]), "is no rule");
  assertStringIncludes(refusedRule(({ when }) => when!("payed")), 'It has "submitted", "paid", "asked"');
  assertStringIncludes(refusedRule(({ when }) => when!("paid", 5)), "its filter is no function");
  assertStringIncludes(refusedRule(({ timeout }) => timeout!("deu")), 'the timeout "deu"');
  assertStringIncludes(refusedRule(({ whenAll }) => whenAll!()), "its events are none");
  assertStringIncludes(refusedRule(({ whenAll }) => whenAll!("paid", "paid")), "one is there twice");
  assertStringIncludes(refusedRule(({ whenEnter }) => whenEnter!("initial")), 'the state "initial"');
  assertStringIncludes(refusedRule(({ whenLeave }) => whenLeave!("final")), 'the state "final"');
  assertStringIncludes(refusedRule(({ ignore }) => ignore!()), "names no event");
  assertStringIncludes(refusedRule(({ ignore }) => ignore!("payed")), 'the event "payed"');
  assertStringIncludes(refusedRule(({ ignore }) => steps(ignore!("paid"))["finalize"]!()), "would never run");
  assertStringIncludes(refusedRule(({ whenMissing }) => whenMissing!("paid")), "it would never be used");
  assertStringIncludes(refused(({ initially, when }) => [initially!(when!("paid"))]), '"paid" cannot start');
  assertStringIncludes(refused(({ initially, timeout }) => [initially!(timeout!("due"))]), "only messages start");
  assertStringIncludes(refused(({ onUnhandled }) => [onUnhandled!("drop")]), '"drop" is no answer');
  assertStringIncludes(refused(({ completedWhen }) => [completedWhen!(5)]), "no function");
  assertStringIncludes(refused(({ sequence }) => [sequence!("payed", () => {})]), 'the event "payed"');
  assertStringIncludes(refused(({ sequence }) => [sequence!(5)]), "5 is no function");
});

test("rules that would not be seen are refused", () => {
  assertStringIncludes(refused(({ when }) => (when!("paid"), [])), "it stands in no state");
  assertStringIncludes(refused(({ during, when }) => (during!("a", when!("paid")), [])), "but not returned");
  let late: AnySteps | undefined;
  anySaga("orders", options, (rules: Words) => {
    late = when(rules, "submitted");
    return [rules["initially"]!(late)];
  });
  assertThrows(() => late?.["finalize"]?.(), ConfigurationError, "it has been made");
});

test("steps that cannot work are refused, and say which and where", () => {
  const then = (s: AnySteps) => s["finalize"]!();
  const outcome = { timeout: "5s", completed: then, faulted: then, timedOut: then };
  const cases: readonly (readonly [string, (rule: AnySteps) => unknown])[] = [
    ['Cannot use .then() in a rule for "paid"', (s) => s["then"]!(5)],
    ['"orders.ship" is of the kind "command". Use send or request', (s) => s["publish"]!(Ship, () => ({}))],
    ['"orders.noted" is of the kind "event". Use publish', (s) => s["send"]!(Noted, () => ({}))],
    ["that gives the message", (s) => s["send"]!(Ship, { id: "1" })],
    ["that gives the answer", (s) => s["respond"]!({ state: "a" })],
    ["not a contract", (s) => s["publish"]!("orders.noted", () => ({}))],
    ['"orders.noted" is of the kind "event"', (s) => s["request"]!(Noted, () => ({}), outcome)],
    ["the outcome is missing", (s) => s["request"]!(CheckAddress, () => ({}))],
    ["its timeout is 0", (s) => s["request"]!(CheckAddress, () => ({}), { ...outcome, timeout: 0 })],
    ['the state "late"', (s) => s["request"]!(CheckAddress, () => ({}), { ...outcome, pending: "late" })],
    ["undefined is no function", (s) => s["request"]!(CheckAddress, () => ({}), { ...outcome, faulted: undefined })],
    ['the state "d"', (s) => s["transitionTo"]!("d")],
    ['the timeout "deu"', (s) => s["schedule"]!("deu")],
    ["a duration or a time", (s) => s["schedule"]!("due", "5s")],
    ['the timeout "deu"', (s) => s["unschedule"]!("deu")],
    ['the event "payed"', (s) => s["raise"]!("payed", () => ({}))],
    ["gives true or false", (s) => s["if"]!(true, then)],
    ["gives steps", (s) => s["ifElse"]!(() => true, then)],
    ["it has no cases", (s) => s["switch"]!(() => "a", {})],
    ["do not return the steps", (s) => s["run"]!(() => undefined)],
    ["do not return the steps", (s) => s["run"]!(async (inner: AnySteps) => await Promise.resolve(then(inner)))],
    ["not made by retry", (s) => s["retry"]!({ limit: 3 }, then)],
    ["no class of errors", (s) => s["catch"]!("CardError", then)],
    ["no class of errors", (s) => s["catch"]!(() => true, then)],
    ['"" is no name', (s) => s["compensateWith"]!("", then)],
    ['goes down to "payment"', (s) => s["compensate"]!({ downTo: "payment" })],
    ["an undo is not undone", (s) => s["compensateWith"]!("a", (undo: AnySteps) => undo["compensate"]!())],
    ["an undo is not undone", (s) => s["compensateWith"]!("a", (undo: AnySteps) => undo["compensateWith"]!("b", then))],
    ["nobody waits", (s) => s["compensateWith"]!("a", (undo: AnySteps) => undo["respond"]!(() => ({})))],
    [
      "nobody waits",
      (s) =>
        s["compensateWith"]!("a", (undo: AnySteps) =>
          undo["request"]!(CheckAddress, () => ({}), {
            ...outcome,
            completed: (inner: AnySteps) => inner["respond"]!(() => ({})),
          })),
    ],
  ];
  for (const [said, add] of cases) assertStringIncludes(refusedRule((rules) => add(when(rules, "paid"))), said);
});

test("steps that cannot be on the way from state to state, or without an instance, are refused", () => {
  const hook = (add: (s: AnySteps) => unknown) => refusedRule(({ whenLeave }) => add(steps(whenLeave!("a"))));
  assertStringIncludes(hook((s) => s["transitionTo"]!("c")), "leave(a)/transitionTo(c)");
  assertStringIncludes(hook((s) => s["finalize"]!()), "on its way");
  assertStringIncludes(hook((s) => s["compensate"]!()), "on its way");
  const events = (on: Words & Anything) => ({
    ...options.events(on),
    noted: on(Noted, (m: { text: string }) => m.text, { onMissing: "run" }),
  });
  const missing = (add: (s: AnySteps) => unknown) =>
    refused(({ initially, whenMissing }) => [initially!(add(steps(whenMissing!("noted"))))], { events });
  assertStringIncludes(missing((s) => s["finalize"]!()), "there is no instance");
  assertStringIncludes(missing((s) => s["schedule"]!("due")), "missing/noted/schedule(due)");
  const elsewhere = refused(({ during, whenMissing }) => [during!("a", whenMissing!("noted"))], { events });
  assertStringIncludes(elsewhere, "Put it into initially");
});

test("two undos of one name are refused, but for those of a sequence that several rules run", () => {
  const then = (s: AnySteps) => s["finalize"]!();
  const two = refused((rules) => [
    rules["during"]!("a", when(rules, "paid")["compensateWith"]!("payment", then)),
    rules["during"]!("c", when(rules, "paid")["compensateWith"]!("payment", (s: AnySteps) => s["finalize"]!())),
  ]);
  assertStringIncludes(two, 'two undos of the name "payment"');
  const Shared = saga("shared", {
    data: type<object>(),
    states: ["a", "b"],
    events: (on) => ({ submitted: on.start(Submitted, (m) => m.id, () => ({})), paid: on(Paid, (m) => m.id) }),
  }, ({ initially, during, when, sequence }) => {
    const pay = sequence((s) => s.compensateWith("payment", (undo) => undo.send(Undo, () => ({ what: "payment" }))));
    return [
      initially(when("submitted").run(pay).transitionTo("a")),
      during("a", when("paid").run(pay)),
      during("b", when("paid").run((s) => s.run(pay))),
    ];
  });
  assertEquals([...definitionOfSaga(Shared)!.undos.keys()], ["payment"]);
});

test("steps have keys that say where they are, and that a step beside them does not change", () => {
  const made = (more: boolean) =>
    saga("keys", {
      data: type<object>(),
      states: ["a", "b"],
      timeouts: { due: 5 },
      events: (on) => ({
        submitted: on.start(Submitted, (m) => m.id, () => ({})),
        paid: on(Paid, (m) => m.id),
        packed: on(Packed, (m) => m.id),
        failed: on(Failed, (m) => m.id),
      }),
    }, ({ initially, during, duringAny, when, whenAll, whenEnter, timeout, ignore, sequence }) => {
      const nothing = sequence((s) => s);
      const ask = sequence((s) =>
        s.request(CheckAddress, (ctx) => ({ id: ctx.id }), {
          timeout: "5s",
          completed: (then) => then.if((ctx) => ctx.message.ok, (ok) => ok.compensate()),
          faulted: nothing,
          timedOut: nothing,
        })
      );
      return [
        initially(when("submitted").run(more ? (s) => s.then(() => {}).run(nothing) : nothing).transitionTo("a")),
        during(["a", "b"], when("paid").run(ask).run(ask), when("paid").retry(retry.immediate(1), ask)),
        duringAny(
          timeout("due").catch(CardError, (failed) => failed.run(ask)),
          whenAll("paid", "packed").finalize(),
          whenEnter("b").run(ask),
          ignore("failed"),
        ),
      ];
    });
  const definition = definitionOfSaga(made(false))!;
  assertEquals(definition.rules.map(({ key }) => key), [
    "initial/submitted",
    "a/paid",
    "a/paid#2",
    "any/timeout(due)",
    "any/all(packed+paid)",
    "enter(b)",
    "any/ignore(failed)",
  ]);
  const keys = [...definition.requests.keys()];
  assertEquals(keys, [
    "a/paid/run/request(addresses.check)",
    "a/paid/run#2/request(addresses.check)",
    "a/paid#2/retry/request(addresses.check)",
    "any/timeout(due)/catch(CardError)/run/request(addresses.check)",
    "enter(b)/run/request(addresses.check)",
  ]);
  assertEquals(
    definition.requests.get(keys[0]!)!.completed.map(({ key }) => key),
    ["a/paid/run/request(addresses.check)/completed/if"],
  );
  assertEquals([...definitionOfSaga(made(true))!.requests.keys()], keys);
});

test("a saga is a consumer of its events that a bus alone can run, and plain to look at", () => {
  const One = saga("one", {
    data: type<object>(),
    states: ["a"],
    events: (on) => ({ submitted: on.start(Submitted, (m) => m.id, () => ({})), paid: on(Paid, (m) => m.id) }),
  }, ({ initially, during, when }) => [
    initially(when("submitted").transitionTo("a")),
    during("a", when("paid").finalize()),
  ]);
  assertEquals([One.name, One.named, One.runs], ["one", "itself", "on one endpoint"]);
  assertEquals(One.contracts, [Submitted, Paid]);
  assertThrows(() => One.consume({} as never), ConfigurationError, "bus.add");
  assertEquals(definitionOfSaga({}), undefined);
  assertEquals(definitionOfSaga(undefined), undefined);
  assertEquals(One.describe().states.map(({ name }) => name), ["initial", "a", "final"]);
  assert(One.toMermaid().startsWith("stateDiagram-v2"));
  assertStringIncludes(One.toGraphviz(), "digraph");
  assertEquals(verify(One), []);
  assertThrows(() => verify(Submitted as never), ConfigurationError, "no saga");
  const { version, history, finalized, concurrency, onUnhandled } = definitionOfSaga(One)!;
  assertEquals([version, history, finalized, concurrency, onUnhandled], [1, false, "removed", "optimistic", "fault"]);
});

test("an option that there is not is refused, with the nearest that there is", () => {
  const write: Write = (rules) => [rules["initially"]!(when(rules, "submitted"))];
  assertStringIncludes(refused(write, { state: "a" }), "Write { states }");
  assertStringIncludes(refused(write, { timeouts: ["due"] }), "they are a list");
  assertStringIncludes(refused(write, { timeouts: { due: "15 min" } }), `the timeout "due" of the saga "orders"`);
  const events = (on: Anything) => ({ paid: on(Paid, (m: { id: string }) => m.id, { onMising: "discard" }) });
  assertStringIncludes(refused(write, { events }), "Write { onMissing }");
});
