/** Compensations that begin where other things are under way: hooks, raised events, composites, undos. */
import { assertEquals, assertRejects } from "@std/assert";
import { saga, type } from "../../mod.ts";
import { further } from "../../src/sagas/undos.ts";
import { test } from "../support/runner.ts";
import { Driven } from "./fake_effects.ts";
import { CardError, CheckAddress, Failed, Noted, Packed, Paid, Submitted, Undo } from "./orders.ts";

type Data = { log: string[] };
const log = (one: Driven) => (one.instance.data as Data).log;

const Nested = saga("nested", {
  data: type<Data>(),
  states: ["a", "failed", "failed.late", "b"],
  events: (on) => ({
    begun: on.start(Submitted, (m) => m.id, () => ({ log: [] })),
    failed: on(Failed, (m) => m.id),
    noted: on(Noted, (m) => m.text),
    paid: on(Paid, (m) => m.id),
    packed: on(Packed, (m) => m.id),
  }),
}, ({ initially, during, duringAny, when, whenAll, whenEnter, sequence }) => {
  const register = sequence((steps) =>
    steps
      .compensateWith("first", (undo) => undo.then((ctx) => void ctx.saga.log.push("undid first")).transitionTo("b"))
      .compensateWith("second", (undo) => undo.then((ctx) => void ctx.saga.log.push("undid second")))
      .compensateWith("third", (undo) => undo.then(async (ctx) => void await ctx.saga.log.push("undid third")))
  );
  return [
    initially(when("begun").run(register).transitionTo("a")),
    during(
      "a",
      when("failed").transitionTo("failed.late").then((ctx) => void ctx.saga.log.push(`behind ${ctx.message.reason}`)),
      when("noted")
        .raise("packed", async (ctx) => await Promise.resolve({ id: ctx.id }))
        .then((ctx) => void ctx.saga.log.push(`noted ${ctx.message.text}`)),
      when("packed").then(() => Promise.resolve()).compensate().then((ctx) => void ctx.saga.log.push("packed")),
      when("paid").request(CheckAddress, (ctx) => ({ id: ctx.id }), {
        timeout: "5s",
        completed: (then) => then.then((ctx) => void ctx.saga.log.push("answered")),
        faulted: (then) => then.finalize(),
        timedOut: (then) => then.finalize(),
      }).compensate().then(() => {
        throw new CardError("behind");
      }),
    ),
    during("b", whenAll("begun", "packed").compensate().finalize()),
    duringAny(
      whenEnter("failed").compensate({ downTo: "third" }).then((ctx) => void ctx.saga.log.push("outer state")),
      whenEnter("failed.late").compensate({ downTo: "second" }).then((ctx) => void ctx.saga.log.push("inner state")),
      whenEnter("b").run(register).compensate({ downTo: "second" }).then((ctx) => void ctx.saga.log.push("in b")),
    ),
  ];
});

async function begun(): Promise<Driven> {
  const one = new Driven(Nested, { log: [] });
  await one.event("begun");
  return one;
}

test("of two states that compensate when they are entered together, the further one counts, and both go on", async () => {
  const one = await begun();
  await one.event("failed", { id: "1", reason: "late" });
  await one.compensated();
  assertEquals(log(one), ["undid third", "undid second", "outer state", "inner state", "behind late"]);
  assertEquals(one.instance.undos.map(({ name }) => name), ["first"]);
});

test("what raises an event that compensates waits as well", async () => {
  const one = await begun();
  await one.event("noted", { text: "it" });
  assertEquals(log(one), []);
  const steps = one.instance.compensating?.then.map(({ step }) => step);
  assertEquals(steps, ["a/packed/compensate", "a/noted/raise(packed)"]);
  await one.compensated();
  assertEquals(log(one).slice(0, 3), ["undid third", "undid second", "undid first"]);
  assertEquals(log(one).slice(-2), ["packed", "noted it"]);
});

test("an undo that enters a state that compensates has that done by the same compensation", async () => {
  const one = await begun();
  await one.event("packed", { id: "1" });
  await one.resume(); // third
  await one.resume(); // second
  await one.resume(); // first, which enters b, which registers three more
  assertEquals([one.state, one.instance.undos.length, one.instance.compensating?.downTo], ["b", 3, undefined]);
  await one.compensated();
  assertEquals(log(one), [
    "undid third",
    "undid second",
    "undid first",
    "undid third",
    "undid second",
    "undid first",
    "in b",
    "packed",
  ]);
  assertEquals([one.state, one.instance.undos], ["final", []]);
});

test("an answer waits while the instance compensates, and what fails behind it fails its unit alone", async () => {
  const one = await begun();
  await one.event("paid", { id: "1", paymentId: "p" });
  const [requestId = ""] = Object.keys(one.instance.requests);
  const answer = { kind: "completed", requestId, message: { ok: true } } as const;
  assertEquals(await one.occur(answer), "redeliver");
  while (one.instance.undos.length > 0) await one.resume();
  await assertRejects(() => one.resume(), CardError);
  await assertRejects(() => one.resume(), CardError);
  assertEquals(one.instance.compensating?.then.length, 2);
  assertEquals(await one.occur(answer), "redeliver");
});

test("the further of two points is the one that more undos lie behind", () => {
  const undos = ["a", "b", "a", "c"].map((name) => ({ name, step: name, message: undefined }));
  assertEquals(further(undos, "b", "c"), "b");
  assertEquals(further(undos, "c", "b"), "b");
  assertEquals(further(undos, "b", "a"), "a");
  assertEquals(further(undos, "gone", "c"), "c");
  assertEquals(further(undos, "c", "gone"), "c");
  assertEquals(further(undos, undefined, "c"), undefined);
  assertEquals(further(undos, "c", undefined), undefined);
});

test("an instance that has come to its end is over once all is undone", async () => {
  const Ended = saga("ended", {
    data: type<object>(),
    states: ["a"],
    events: (on) => ({ begun: on.start(Submitted, (m) => m.id, () => ({})), failed: on(Failed, (m) => m.id) }),
  }, ({ initially, during, when }) => [
    initially(
      when("begun").compensateWith("it", (undo) => undo.send(Undo, () => ({ what: "it" }))).transitionTo("a"),
    ),
    during("a", when("failed").finalize().compensate()),
  ]);
  const one = new Driven(Ended);
  await one.event("begun");
  await one.event("failed", { id: "1", reason: "" });
  assertEquals([one.state, one.over], ["final", false]);
  await one.compensated();
  assertEquals([one.asked.filter((each) => each.startsWith("send")), one.over], [["send orders.undo"], true]);
});
