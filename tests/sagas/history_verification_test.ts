/** Histories of instances, held against sagas that have changed since. */
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import {
  ConfigurationError,
  event,
  type RecordedSagaHistory,
  type Saga,
  saga,
  type SagaHistoryEntry,
  type Shape,
  type,
  verifyHistory,
} from "../../mod.ts";
import { createTestHarness } from "../../src/testing/mod.ts";
import { test } from "../support/runner.ts";
import { CheckAddress, Failed, Packed, Paid, Submitted } from "./orders.ts";

const Extra = event<{ id: string }>("orders.extra");
const common = { data: type<{ total: number }>(), timeouts: { due: "15m" }, history: true } as const;

/** Takes a bit of everything: a filter, a request, hooks, a composite, a raised event, a timeout and an undo. */
const Order = saga("order", {
  ...common,
  states: ["waiting", "checking", "paid", "undone"],
  events: (on) => ({
    submitted: on.start(Submitted, (m) => m.id, (m) => ({ total: m.total })),
    paid: on(Paid, (m) => m.id),
    packed: on(Packed, (m) => m.id),
    failed: on(Failed, (m) => m.id),
    extra: on(Extra, (m) => m.id),
  }),
}, ({ initially, during, when, whenAll, whenEnter, timeout }) => [
  initially(
    when("submitted").schedule("due")
      .compensateWith("order", (undo) => undo.then((ctx) => void ctx.saga.total--))
      .transitionTo("waiting"),
  ),
  during(
    "waiting",
    when("paid", (ctx) => ctx.message.paymentId !== "").request(CheckAddress, (ctx) => ({ id: ctx.id }), {
      timeout: "1m",
      pending: "checking",
      completed: (then) => then.transitionTo("paid"),
      faulted: (then) => then.transitionTo("undone"),
      timedOut: (then) => then.transitionTo("undone"),
    }),
    when("packed").then((ctx) => void ctx.saga.total++),
    when("failed").compensate().transitionTo("undone"),
    timeout("due").finalize(),
    whenEnter("paid").unschedule("due"),
  ),
  during(
    "paid",
    when("extra").raise("failed", (ctx) => ({ id: ctx.id, reason: "extra" })),
    when("failed").transitionTo("undone"),
    when("packed").then((ctx) => void ctx.saga.total++),
    whenAll("paid", "packed").finalize(),
  ),
  during("undone", when("failed").finalize()),
]);

async function recorded(): Promise<readonly RecordedSagaHistory[]> {
  const harness = await createTestHarness(Order);
  try {
    await harness.stub(CheckAddress, { ok: true });
    for (const id of ["packed", "late", "failed", "raised"]) {
      await harness.publish(Submitted, { id, total: 5 });
      await harness.settled();
    }
    for (const id of ["packed", "raised"]) await harness.publish(Paid, { id, paymentId: "p" });
    await harness.publish(Failed, { id: "failed", reason: "" });
    await harness.settled();
    await harness.publish(Packed, { id: "packed" });
    await harness.publish(Extra, { id: "raised" });
    await harness.settled();
    await harness.advance("15m");
    await harness.settled();
    const histories: RecordedSagaHistory[] = [];
    for (const id of ["packed", "late", "failed", "raised"]) {
      const entries: SagaHistoryEntry[] = [];
      for await (const entry of harness.bus.sagas(Order).history(id)) entries.push(entry);
      histories.push({ id, entries });
    }
    // As a file would keep it.
    return JSON.parse(JSON.stringify(histories));
  } finally {
    await harness[Symbol.asyncDispose]();
  }
}

test("a saga that has not changed allows all that was recorded of it", async () => {
  const histories = await recorded();
  assertEquals(histories.map(({ entries }) => entries.map(({ kind, state }) => `${kind} ${state}`)), [
    ["event waiting", "event checking", "completed paid", "event final"],
    ["event waiting", "timeout final"],
    ["event waiting", "event waiting", "compensate waiting", "compensate undone"],
    ["event waiting", "event checking", "completed paid", "event undone"],
  ]);
  assertEquals(verifyHistory(Order, histories), []);
});

const entry = (given: Partial<RecordedSagaHistory["entries"][number]>): RecordedSagaHistory["entries"][number] => ({
  incarnation: "a",
  version: 1,
  kind: "event",
  name: "submitted",
  transitions: [],
  state: "waiting",
  ...given,
});
const submitted = entry({ transitions: [{ from: "initial", to: "waiting" }] });

/** One that waits and is paid, as it may have been changed. */
const changed = {
  "unchanged": saga("order", {
    ...common,
    states: ["waiting", "paid"],
    events: (on) => ({
      submitted: on.start(Submitted, (m) => m.id, (m) => ({ total: m.total })),
      paid: on(Paid, (m) => m.id),
      packed: on(Packed, (m) => m.id),
    }),
  }, ({ initially, during, when, timeout }) => [
    initially(when("submitted").schedule("due").transitionTo("waiting")),
    during(
      "waiting",
      when("packed").then(() => {}),
      when("paid").transitionTo("paid"),
      timeout("due").finalize(),
    ),
  ]),
  "renamed": saga("order", {
    ...common,
    timeouts: { late: "15m" },
    states: ["open", "waiting"],
    events: (on) => ({ submitted: on.start(Submitted, (m) => m.id, (m) => ({ total: m.total })) }),
  }, ({ initially, when, timeout, during }) => [
    initially(when("submitted").schedule("late").transitionTo("waiting")),
    during("waiting", timeout("late").transitionTo("open")),
  ]),
  "led elsewhere": saga("order", {
    ...common,
    states: ["waiting", "checking", "paid"],
    events: (on) => ({
      submitted: on.start(Submitted, (m) => m.id, (m) => ({ total: m.total })),
      paid: on(Paid, (m) => m.id),
      packed: on(Packed, (m) => m.id),
    }),
  }, ({ initially, during, when, ignore, timeout }) => [
    initially(when("submitted").transitionTo("waiting")),
    during("waiting", when("paid").transitionTo("checking"), when("packed").transitionTo("checking")),
    during("checking", ignore("packed"), when("paid").transitionTo("paid"), timeout("due").finalize()),
  ]),
} satisfies Record<string, Saga<Shape>>;

const cases: readonly (readonly [
  what: string,
  saga: Saga<Shape>,
  second: Partial<RecordedSagaHistory["entries"][number]>,
  kind: string | undefined,
  why: string,
])[] = [
  [
    "a way that is there",
    changed.unchanged,
    {
      name: "paid",
      transitions: [{ from: "waiting", to: "paid" }],
      state: "paid",
    },
    undefined,
    "",
  ],
  ["a state that is gone", changed.renamed, { name: "x", transitions: [], state: "paid" }, "unknown state", `"paid"`],
  ["an event that is gone", changed.renamed, { name: "paid" }, "unknown event", `"paid"`],
  ["a timeout that is gone", changed.renamed, { kind: "timeout", name: "due" }, "unknown timeout", `"due"`],
  ["a timeout without a rule", changed["led elsewhere"], { kind: "timeout", name: "due" }, "not taken", `"due"`],
  ["an event that is ignored now", changed["led elsewhere"], { name: "packed", state: "checking" }, "not taken", ""],
  ["an answer that nothing asks for", changed.unchanged, { kind: "completed" }, "not taken", "answer to a request"],
  [
    "another way",
    changed["led elsewhere"],
    {
      name: "paid",
      transitions: [{ from: "waiting", to: "paid" }],
      state: "paid",
    },
    "other transition",
    `from "waiting" to "paid"`,
  ],
  ["a way out of what it stayed in", changed["led elsewhere"], { name: "packed" }, "other transition", "it stayed in"],
  [
    "what an operator did",
    changed["led elsewhere"],
    {
      kind: "set",
      transitions: [{ from: "waiting", to: "paid" }],
      state: "paid",
    },
    undefined,
    "",
  ],
];

for (const [what, changedSaga, second, kind, why] of cases) {
  test(`verifyHistory judges ${what}`, () => {
    const findings = verifyHistory(changedSaga, [{
      id: "42",
      entries: [submitted, entry({ version: 2, ...second }), entry({ version: 3, state: "gone" })],
    }, { id: "43", entries: [submitted] }]);
    // What is right is followed by what is not, and only the first is told.
    assertEquals(findings.map((each) => [each.kind, each.id, each.incarnation, each.version]), [
      kind === undefined ? ["unknown state", "42", "a", 3] : [kind, "42", "a", 2],
    ]);
    assertStringIncludes(findings[0]?.message ?? "", `The instance "42" of "order" breaks with entry`);
    assertStringIncludes(findings[0]?.message ?? "", why);
  });
}

test("what an operator has set is allowed, wherever it led, if the state is there", () => {
  const Kept = saga("kept", {
    data: type<object>(),
    states: ["open", "set aside"],
    events: (on) => ({ submitted: on.start(Submitted, (m) => m.id, () => ({})), paid: on(Paid, (m) => m.id) }),
  }, ({ initially, during, when }) => [
    initially(when("submitted").transitionTo("open")),
    during("set aside", when("paid").finalize()),
  ]);
  const entry = (kind: "set" | "event", to: string): RecordedSagaHistory => ({
    id: "1",
    entries: [{
      incarnation: "a",
      version: 2,
      kind,
      name: kind === "set" ? undefined : "paid",
      transitions: [{ from: "open", to }],
      state: to,
    }],
  });
  assertEquals(verifyHistory(Kept, [entry("set", "set aside")]), []);
  assertEquals(verifyHistory(Kept, [entry("event", "set aside")]).map(({ kind }) => kind), ["not taken"]);
  assertEquals(verifyHistory(Kept, [entry("set", "gone")]).map(({ kind }) => kind), ["unknown state"]);
});

test("verifyHistory takes sagas alone", () => {
  assertThrows(() => verifyHistory({} as Saga<Shape>, []), ConfigurationError, "it is no saga");
});

test("what is no history is refused", () => {
  for (const recorded of ["x", [{ id: "1" }], [{ id: "1", entries: {} }]] as never[]) {
    assertThrows(() => verifyHistory(Order, recorded), ConfigurationError, "has no list of { entries }");
  }
});
