import { assertEquals } from "@std/assert";
import { saga, type } from "../../mod.ts";
import { macrotask } from "../../src/runtime/macrotask.ts";
import { test } from "../support/runner.ts";
import { Driven } from "./fake_effects.ts";
import { Noted, Submitted } from "./orders.ts";

type Log = { log: string[] };

/** Goes where `noted` says, and writes down what runs on the way. */
const Walk = saga("walk", {
  data: type<Log>(),
  states: ["a", "a.x", "a.y", "a.y.deep", "b", "via"],
  events: (on) => ({
    begun: on.start(Submitted, (m) => m.id, () => ({ log: [] })),
    noted: on(Noted, (m) => m.text),
  }),
}, (rules) => {
  const { initially, duringAny, when, whenEnter, whenLeave, beforeEnter, afterLeave } = rules;
  const all = ["a", "a.x", "a.y", "a.y.deep", "b"] as const;
  return [
    initially(when("begun").transitionTo("a.x")),
    duringAny(
      when("noted").switch((ctx) => ctx.message.text as typeof all[number] | "final" | "via", {
        "a": (then) => then.transitionTo("a"),
        "a.x": (then) => then.transitionTo("a.x"),
        "a.y": (then) => then.transitionTo("a.y"),
        "a.y.deep": (then) => then.transitionTo("a.y.deep"),
        "b": (then) => then.transitionTo("b"),
        "via": (then) => then.transitionTo("via").then((ctx) => void ctx.saga.log.push(`behind in ${ctx.state}`)),
        "final": (then) => then.finalize(),
      }),
    ),
    ...all.flatMap((state) => [
      duringAny(
        whenEnter(state).then((ctx) => void ctx.saga.log.push(`enter ${state} in ${ctx.state}`)),
        afterLeave(state).then((ctx) => void ctx.saga.log.push(`left ${state} in ${ctx.state}`)),
        beforeEnter(state).then((ctx) => void ctx.saga.log.push(`before ${state} in ${ctx.state}`)),
        whenLeave(state).then((ctx) => void ctx.saga.log.push(`leave ${state} in ${ctx.state}`)),
      ),
    ]),
    duringAny(
      whenEnter("via").then((ctx) => void ctx.saga.log.push(`via in ${ctx.state}`)).transitionTo("b"),
      whenEnter("via").then((ctx) => void ctx.saga.log.push("never, it is in b by now")),
      whenLeave("initial").then((ctx) => void ctx.saga.log.push(`begin with ${ctx.message}`)),
      whenEnter("final").then((ctx) => void ctx.saga.log.push(`end in ${String(ctx.state)}`)),
    ),
  ];
});

async function walk(...states: readonly string[]): Promise<readonly string[]> {
  const one = new Driven(Walk, { log: [] });
  await one.event("begun", { id: "1", total: 1 });
  for (const text of states) {
    (one.instance.data as Log).log = [];
    await one.event("noted", { text });
  }
  return (one.instance.data as Log).log;
}

test("a first state is entered from the initial one, outer states before inner ones", async () => {
  assertEquals(await walk(), [
    "begin with undefined",
    "before a in initial",
    "before a.x in initial",
    "enter a in a.x",
    "enter a.x in a.x",
  ]);
});

test("a transition leaves, is about to enter, changes the state, has left and enters, in this order", async () => {
  assertEquals(await walk("b"), [
    "leave a.x in a.x",
    "leave a in a.x",
    "before b in a.x",
    "left a.x in b",
    "left a in b",
    "enter b in b",
  ]);
});

test("a transition between two states within one neither leaves nor enters that one", async () => {
  assertEquals(await walk("a.y.deep"), [
    "leave a.x in a.x",
    "before a.y in a.x",
    "before a.y.deep in a.x",
    "left a.x in a.y.deep",
    "enter a.y in a.y.deep",
    "enter a.y.deep in a.y.deep",
  ]);
  assertEquals(await walk("a.y.deep", "a"), [
    "leave a.y.deep in a.y.deep",
    "leave a.y in a.y.deep",
    "left a.y.deep in a",
    "left a.y in a",
  ]);
  assertEquals(await walk("a", "a.y"), ["before a.y in a", "enter a.y in a.y"]);
});

test("a transition to the state that the instance is in is none", async () => {
  assertEquals(await walk("b", "b"), []);
  const one = new Driven(Walk, { log: [] });
  await one.event("begun", { id: "1", total: 1 });
  await one.event("noted", { text: "a.x" });
  assertEquals(one.effects.transitions, ["initial → a.x"]);
});

test("a state that is entered may lead on at once; then the rest of it is not entered", async () => {
  assertEquals(await walk("b", "via"), [
    "leave b in b",
    "left b in via",
    "via in via",
    "before b in via",
    "enter b in b",
    "behind in b",
  ]);
});

test("the final state is entered by finalize()", async () => {
  assertEquals(await walk("b", "final"), ["leave b in b", "left b in final", "end in final"]);
});

test("what runs on the way is waited for", async () => {
  const Slow = saga("slow", {
    data: type<Log>(),
    states: ["a", "b"],
    events: (on) => ({ begun: on.start(Submitted, (m) => m.id, () => ({ log: [] })) }),
  }, ({ initially, duringAny, when, whenEnter, beforeEnter, afterLeave }) => {
    const slowly = (text: string) => async (ctx: { readonly saga: Log; readonly state: string }) => {
      await new Promise<void>(macrotask);
      ctx.saga.log.push(`${text} in ${ctx.state}`);
    };
    return [
      initially(when("begun").transitionTo("a").then((ctx) => void ctx.saga.log.push(`behind in ${ctx.state}`))),
      duringAny(
        beforeEnter("a").then(slowly("before")),
        whenEnter("a").then(slowly("enter")).transitionTo("b"),
        whenEnter("b").then(slowly("enter b")),
        afterLeave("initial").then(slowly("left")),
      ),
    ];
  });
  const one = new Driven(Slow, { log: [] });
  await one.event("begun");
  assertEquals((one.instance.data as Log).log, [
    "before in initial",
    "left in a",
    "enter in a",
    "enter b in b",
    "behind in b",
  ]);
  assertEquals(one.effects.transitions, ["initial → a", "a → b"]);
});
