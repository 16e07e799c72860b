import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { CompensationFailedError, saga, type, UnknownUndoError, UnreadableSagaError } from "../../mod.ts";
import { test } from "../support/runner.ts";
import { Driven } from "./fake_effects.ts";
import { CardError, CheckAddress, Failed, GetState, Noted, Packed, Paid, Submitted, Undo } from "./orders.ts";

type Log = { log: string[]; failing?: boolean };
const log = (one: Driven) => (one.instance.data as Log).log;

const Trip = saga("trip", {
  data: type<Log>(),
  states: ["booking", "undoing", "cancelled"],
  timeouts: { due: 10 },
  events: (on) => ({
    begun: on.start(Submitted, (m) => m.id, () => ({ log: [] })),
    booked: on(Noted, (m) => m.text),
    failed: on(Failed, (m) => m.id),
    partly: on(Packed, (m) => m.id),
    refused: on(Paid, (m) => m.id),
    asked: on(GetState, (m) => m.id),
  }),
}, ({ initially, during, duringAny, when, whenEnter, timeout }) => [
  initially(when("begun").schedule("due").transitionTo("booking")),
  during(
    "booking",
    when("booked").switch((ctx) => ctx.message.text as "car" | "flight" | "hotel", {
      car: (then) => then.compensateWith("car", (undo) => undo.send(Undo, (ctx) => ({ what: ctx.message.text }))),
      flight: (then) =>
        then.compensateWith(
          "flight",
          (undo) =>
            undo.then((ctx) => {
              if (ctx.saga.failing === true) throw new CardError("airline");
              ctx.saga.log.push(`flight in ${ctx.state}`);
            }),
        ),
      hotel: (then) =>
        then.compensateWith(
          "hotel",
          (undo) => undo.then(async (ctx) => void await ctx.saga.log.push(ctx.message.text)),
        ),
    }),
    when("failed")
      .if(
        (ctx) => ctx.message.reason !== "",
        (then) => then.compensate().then((ctx) => void ctx.saga.log.push(`inner ${ctx.message.reason}`)),
      )
      .then((ctx) => void ctx.saga.log.push(`outer ${ctx.message.id}`))
      .transitionTo("cancelled"),
    when("partly").compensate({ downTo: "flight" }).then((ctx) => void ctx.saga.log.push("behind")),
    when("refused")
      .then(() => {
        throw new CardError("mine");
      })
      .catch(
        CardError,
        (failed) =>
          failed.compensate().then((ctx) =>
            void ctx.saga.log.push(`${ctx.error instanceof CardError} ${ctx.error.name} ${ctx.error.message}`)
          ),
      )
      .transitionTo("undoing"),
    timeout("due").transitionTo("cancelled"),
  ),
  duringAny(
    when("asked").respond((ctx) => ({ state: ctx.state })),
    whenEnter("undoing").compensate().then((ctx) => void ctx.saga.log.push("entered")),
  ),
]);

async function booked(...what: readonly string[]): Promise<Driven> {
  const one = new Driven(Trip, { log: [] });
  await one.event("begun");
  for (const text of what) await one.event("booked", { text });
  void one.asked;
  return one;
}

test("an undo is registered under its name, with the message and the step that registered it", async () => {
  const one = await booked("car", "flight", "car");
  assertEquals(one.instance.undos, [
    { name: "car", step: "booking/booked/switch/car/compensateWith(car)", message: { text: "car" } },
    { name: "flight", step: "booking/booked/switch/flight/compensateWith(flight)", message: { text: "flight" } },
    { name: "car", step: "booking/booked/switch/car/compensateWith(car)", message: { text: "car" } },
  ]);
});

test("undos run in reverse, each once and in a unit of its own; then what stands behind, from the inside out", async () => {
  const one = await booked("hotel", "flight", "car");
  assertEquals(await one.event("failed", { id: "f", reason: "ill" }), "handled");
  assertEquals([one.state, log(one), one.asked], ["booking", [], ["resume 2"]]);
  assertEquals(await one.resume(), "handled");
  assertEquals([one.instance.undos.length, log(one), one.asked], [2, [], ["send orders.undo", "resume 3"]]);
  await one.resume();
  assertEquals([one.instance.undos.length, log(one), one.asked], [1, ["flight in booking"], ["resume 4"]]);
  await one.resume();
  assertEquals([one.instance.undos.length, one.state, one.asked], [0, "booking", ["resume 5"]]);
  await one.resume();
  assertEquals(log(one), ["flight in booking", "hotel", "inner ill", "outer f"]);
  assertEquals([one.state, one.instance.compensating, one.asked], ["cancelled", undefined, []]);
});

test("where nothing is to be undone, the steps behind go on at once", async () => {
  const one = await booked();
  await one.event("failed", { id: "f", reason: "ill" });
  assertEquals([one.state, log(one), one.asked], ["cancelled", ["inner ill", "outer f"], []]);
});

test("a part of a compensation that came before does nothing", async () => {
  const one = await booked("hotel", "car");
  await one.event("failed", { id: "f", reason: "ill" });
  const token = one.instance.compensating?.token ?? "";
  assertEquals(await one.occur({ kind: "compensate", token }), "handled");
  assertEquals(await one.occur({ kind: "compensate", token }), "stale");
  assertEquals(one.instance.undos.length, 1);
  await one.compensated();
  assertEquals(await one.occur({ kind: "compensate", token }), "stale");
});

test("while it compensates, all else waits, but what is stale", async () => {
  const one = await booked("hotel");
  await one.event("failed", { id: "f", reason: "ill" });
  assertEquals(await one.event("asked", { id: "1" }), "redeliver");
  assertEquals(await one.timeout("due"), "redeliver");
  assertEquals(await one.occur({ kind: "timeout", timeout: "due", token: "old" }), "stale");
  assertEquals(await one.occur({ kind: "completed", requestId: "r", message: {} }), "stale");
  await one.compensated();
  assertEquals(await one.event("asked", { id: "1" }), "handled");
});

test("a compensation down to a name runs the undos from the latest to the earliest of that name", async () => {
  const one = await booked("hotel", "flight", "car", "flight", "car");
  await one.event("partly");
  await one.compensated();
  assertEquals(log(one), ["flight in booking", "flight in booking", "behind"]);
  assertEquals(one.instance.undos.map(({ name }) => name), ["hotel"]);
  await one.event("partly");
  assertEquals(one.instance.compensating, undefined);
  assertEquals(log(one).at(-1), "behind");
  assertEquals(one.instance.undos.length, 1);
});

test("an undo that fails leaves the instance as it was, and is due again", async () => {
  const one = await booked("hotel", "flight");
  await one.event("failed", { id: "f", reason: "ill" });
  (one.instance.data as Log).failing = true;
  for (let tries = 0; tries < 3; tries++) {
    const error = await assertRejects(() => one.resume(), CompensationFailedError);
    assertEquals([error.saga, error.id, error.undo], ["trip", "1", "flight"]);
    assertInstanceOf(error.cause, CardError);
    assertEquals(one.instance.undos.length, 2);
  }
  (one.instance.data as Log).failing = false;
  await one.compensated();
  assertEquals([one.state, log(one).length], ["cancelled", 4]);
});

test("an undo or a step that the saga does not have any more is refused", async () => {
  const one = await booked("hotel", "flight");
  await one.event("failed", { id: "f", reason: "ill" });
  one.instance.undos = [...one.instance.undos, { name: "ferry", step: "gone", message: {} }];
  const error = await assertRejects(() => one.resume(), UnknownUndoError);
  assertEquals(error.details, { saga: "trip", id: "1", undo: "ferry", known: ["car", "flight", "hotel"] });
  one.instance.undos = [];
  const { compensating } = one.instance;
  one.instance.compensating = {
    downTo: undefined,
    token: compensating?.token ?? "",
    then: [{ step: "booking/gone", message: {}, error: undefined }],
  };
  await assertRejects(() => one.resume(), UnreadableSagaError, "booking/gone");
});

test("steps of a catch that wait for a compensation know the class and the message of what was caught", async () => {
  const one = await booked("hotel");
  await one.event("refused");
  assertEquals(one.state, "booking");
  await one.compensated();
  assertEquals(log(one), ["hotel", "true CardError The card of mine was refused", "entered"]);
  assertEquals(one.state, "undoing");
});

test("a state that compensates when it is entered has the steps behind the transition wait", async () => {
  const Entered = saga("entered", {
    data: type<Log>(),
    states: ["a", "undoing"],
    events: (on) => ({
      begun: on.start(Submitted, (m) => m.id, () => ({ log: [] })),
      failed: on(Failed, (m) => m.id),
    }),
  }, ({ initially, during, duringAny, when, whenEnter }) => [
    initially(
      when("begun").compensateWith("it", (undo) => undo.then((ctx) => void ctx.saga.log.push("undone"))).transitionTo(
        "a",
      ),
    ),
    during(
      "a",
      when("failed").transitionTo("undoing").then((ctx) => void ctx.saga.log.push(ctx.message.reason)).finalize(),
    ),
    duringAny(
      whenEnter("undoing").compensate().then((ctx) => void ctx.saga.log.push("entered")),
      whenEnter("undoing").then((ctx) => void ctx.saga.log.push("entered as well")),
    ),
  ]);
  const one = new Driven(Entered, { log: [] });
  await one.event("begun");
  await one.event("failed", { id: "1", reason: "ill" });
  assertEquals([one.state, one.over, log(one)], ["undoing", false, ["entered as well"]]);
  await one.compensated();
  assertEquals([one.state, one.over], ["final", true]);
  assertEquals(log(one), ["entered as well", "undone", "entered", "ill"]);
});

test("what fails behind a compensation may be caught by a step of the list around it", async () => {
  const Caught = saga("caught", {
    data: type<Log>(),
    states: ["a"],
    events: (on) => ({
      begun: on.start(Submitted, (m) => m.id, () => ({ log: [] })),
      failed: on(Failed, (m) => m.id),
    }),
  }, ({ initially, during, when }) => [
    initially(
      when("begun").compensateWith("it", (undo) => undo.then((ctx) => void ctx.saga.log.push("undone"))).transitionTo(
        "a",
      ),
    ),
    during(
      "a",
      when("failed")
        .if(() => true, (then) =>
          then.compensate().then(() => {
            throw new CardError("mine");
          }))
        .then((ctx) => void ctx.saga.log.push("never"))
        .catch(CardError, (failed) => failed.then((ctx) => void ctx.saga.log.push(ctx.error.bank)))
        .finalize(),
    ),
  ]);
  const one = new Driven(Caught, { log: [] });
  await one.event("begun");
  await one.event("failed");
  await one.compensated();
  assertEquals([one.over, log(one)], [true, ["undone", "mine"]]);
});

test("a second compensation behind the first waits again, and the rest of the first behind it", async () => {
  const Twice = saga("twice", {
    data: type<Log>(),
    states: ["a"],
    events: (on) => ({
      begun: on.start(Submitted, (m) => m.id, () => ({ log: [] })),
      failed: on(Failed, (m) => m.id),
    }),
  }, ({ initially, during, when }) => [
    initially(
      when("begun").run((steps) =>
        steps.compensateWith("first", (undo) => undo.then((ctx) => void ctx.saga.log.push("first"))).transitionTo("a")
      ),
    ),
    during(
      "a",
      when("failed")
        .if(() => true, (then) =>
          then
            .compensate()
            .compensateWith("second", (undo) => undo.then((ctx) => void ctx.saga.log.push("second")))
            .compensate()
            .then((ctx) => void ctx.saga.log.push("inner")))
        .then((ctx) => void ctx.saga.log.push("outer")),
    ),
  ]);
  const one = new Driven(Twice, { log: [] });
  await one.event("begun");
  await one.event("failed");
  await one.compensated();
  assertEquals(log(one), ["first", "second", "inner", "outer"]);
});

test("a compensation may begin with an answer to a request, and composites wait for its end", async () => {
  const Asking = saga("asking", {
    data: type<Log>(),
    states: ["a", "b"],
    events: (on) => ({
      begun: on.start(Submitted, (m) => m.id, () => ({ log: [] })),
      packed: on(Packed, (m) => m.id),
    }),
  }, ({ initially, during, when, whenAll }) => [
    initially(
      when("begun")
        .compensateWith("it", (undo) => undo.then((ctx) => void ctx.saga.log.push("undone")).transitionTo("b"))
        .request(CheckAddress, (ctx) => ({ id: ctx.id }), {
          timeout: "1m",
          pending: "a",
          completed: (then) => then.compensate().then((ctx) => void ctx.saga.log.push(`${ctx.message.ok}`)),
          faulted: (then) => then.finalize(),
          timedOut: (then) => then.finalize(),
        }),
    ),
    during("a", when("packed").then(() => {})),
    during("b", whenAll("begun", "packed").then((ctx) => void ctx.saga.log.push("all")).finalize()),
  ]);
  const one = new Driven(Asking, { log: [] });
  await one.event("begun");
  await one.event("packed");
  await one.occur({ kind: "completed", requestId: "1", message: { ok: true } });
  await one.resume();
  assertEquals([one.state, log(one)], ["b", ["undone"]]);
  await one.compensated();
  assertEquals([one.state, log(one)], ["final", ["undone", "true", "all"]]);
});
