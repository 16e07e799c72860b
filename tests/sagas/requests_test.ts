import { assertEquals, assertRejects } from "@std/assert";
import { saga, type, UnreadableSagaError } from "../../mod.ts";
import { test } from "../support/runner.ts";
import { Driven } from "./fake_effects.ts";
import { CheckAddress, Failed, GetState, Noted, Paid, Submitted } from "./orders.ts";

const Asking = saga("asking", {
  data: type<{ log: string[] }>(),
  states: ["checking", "checking.twice", "good", "bad"],
  timeouts: { due: 5 },
  events: (on) => ({
    begun: on.start(Submitted, (m) => m.id, () => ({ log: [] })),
    paid: on(Paid, (m) => m.id),
    noted: on(Noted, (m) => m.text),
    failed: on(Failed, (m) => m.id),
  }),
}, ({ initially, during, when }) => [
  initially(
    when("begun")
      .request(CheckAddress, async (ctx) => ({ id: await Promise.resolve(ctx.id) }), {
        timeout: "30s",
        pending: "checking",
        completed: (then) =>
          then.ifElse((ctx) => ctx.message.ok, (ok) => ok.transitionTo("good"), (bad) => bad.transitionTo("bad")),
        faulted: (then) => then.then((ctx) => void ctx.saga.log.push(ctx.message.error.message)).transitionTo("bad"),
        timedOut: (then) => then.then((ctx) => void ctx.saga.log.push(`${ctx.message}`)).finalize(),
      })
      .then((ctx) => void ctx.saga.log.push(`asked, in ${ctx.state}`)),
  ),
  during("checking", when("paid").transitionTo("checking.twice"), when("failed").transitionTo("bad")),
  during(
    ["good", "bad"],
    when("noted").request(GetState, (ctx) => ({ id: ctx.id }), {
      timeout: "1m",
      completed: (then) => then.then((ctx) => void ctx.saga.log.push(ctx.message.state)),
      faulted: (then) => then.finalize(),
      timedOut: (then) => then.finalize(),
    }),
    when("paid").finalize(),
  ),
]);

async function asked(): Promise<Driven> {
  const one = new Driven(Asking, { log: [] });
  await one.event("begun");
  return one;
}
const log = (one: Driven) => (one.instance.data as { readonly log: readonly string[] }).log;

test("a request is sent with its timeout, and the instance waits in its state", async () => {
  const one = await asked();
  assertEquals(one.effects.asked, [{
    asked: "request",
    contract: "addresses.check",
    message: { id: "1" },
    requestId: "1",
    token: "2",
    dueAt: 31_000,
  }]);
  assertEquals([one.state, log(one)], ["checking", ["asked, in checking"]]);
  assertEquals(one.instance.requests, { "1": { step: "initial/begun/request(addresses.check)", token: "2" } });
});

test("an answer is handled once, and its timeout is taken back", async () => {
  const one = await asked();
  assertEquals(await one.occur({ kind: "completed", requestId: "1", message: { ok: true } }), "handled");
  assertEquals([one.state, one.instance.requests], ["good", {}]);
  assertEquals(one.asked, ["request addresses.check", "unschedule 2"]);
  assertEquals(await one.occur({ kind: "completed", requestId: "1", message: { ok: false } }), "stale");
  assertEquals(await one.occur({ kind: "timedOut", requestId: "1", token: "2" }), "stale");
});

test("a request that its owner gave up, or that nobody answered in time, takes its own branch", async () => {
  const one = await asked();
  const message = { error: { type: "Error", message: "no such street" } };
  assertEquals(await one.occur({ kind: "faulted", requestId: "1", message }), "handled");
  assertEquals([one.state, log(one)], ["bad", ["asked, in checking", "no such street"]]);
  const other = await asked();
  assertEquals(await other.occur({ kind: "timedOut", requestId: "1", token: "1" }), "stale");
  assertEquals(await other.occur({ kind: "timedOut", requestId: "1", token: "2" }), "handled");
  assertEquals([other.state, log(other)], ["final", ["asked, in checking", "undefined"]]);
  assertEquals(other.asked, ["request addresses.check"]);
});

test("an instance that leaves the state that it waits in gives the request up; within it, it does not", async () => {
  const one = await asked();
  await one.event("paid");
  assertEquals(one.state, "checking.twice");
  assertEquals(await one.occur({ kind: "completed", requestId: "1", message: { ok: false } }), "handled");
  assertEquals(one.state, "bad");
  const other = await asked();
  await other.event("failed");
  assertEquals(other.asked, ["request addresses.check", "unschedule 2"]);
  assertEquals(await other.occur({ kind: "completed", requestId: "1", message: { ok: true } }), "stale");
  assertEquals(other.state, "bad");
});

test("without a state to wait in, answers come in any, to several requests of one step", async () => {
  const one = await asked();
  await one.occur({ kind: "completed", requestId: "1", message: { ok: true } });
  await one.event("noted");
  await one.event("noted");
  assertEquals(Object.keys(one.instance.requests), ["3", "5"]);
  await one.occur({ kind: "completed", requestId: "5", message: { state: "second" } });
  await one.occur({ kind: "completed", requestId: "3", message: { state: "first" } });
  assertEquals(log(one).slice(1), ["second", "first"]);
});

test("an instance that is over waits for no answer", async () => {
  const one = await asked();
  await one.occur({ kind: "completed", requestId: "1", message: { ok: true } });
  await one.event("noted");
  void one.asked;
  await one.event("paid");
  assertEquals([one.over, one.instance.requests, one.asked], [true, {}, ["unschedule 4"]]);
});

test("an answer to a step that the saga does not have any more is refused", async () => {
  const one = await asked();
  one.instance.requests = { "9": { step: "initial/begun/request(gone)", token: "t" } };
  await assertRejects(
    () => one.occur({ kind: "completed", requestId: "9", message: {} }),
    UnreadableSagaError,
    "initial/begun/request(gone)",
  );
  assertEquals(await one.occur({ kind: "completed", requestId: "constructor", message: {} }), "stale");
});

const Passing = saga("passing", {
  data: type<object>(),
  states: ["a"],
  events: (on) => ({ asked: on.start(GetState, (m) => m.id, () => ({})), noted: on(Noted, (m) => m.text) }),
}, ({ initially, during, when }) => [
  initially(
    when("asked").request(CheckAddress, (ctx) => ({ id: ctx.id }), {
      timeout: "30s",
      pending: "a",
      completed: (then) =>
        then.request(CheckAddress, (ctx) => ({ id: ctx.id }), {
          timeout: "30s",
          completed: (then) => then.respond((ctx) => ({ state: `${ctx.message.ok}` })),
          faulted: (then) => then.respond(() => ({ state: "faulted" })),
          timedOut: (then) => then.respond(() => ({ state: "timed out" })),
        }),
      faulted: (then) => then.finalize(),
      timedOut: (then) => then.finalize(),
    }),
  ),
  during(
    "a",
    when("noted").request(CheckAddress, (ctx) => ({ id: ctx.id }), {
      timeout: "30s",
      completed: (then) => then.finalize(),
      faulted: (then) => then.finalize(),
      timedOut: (then) => then.finalize(),
    }),
  ),
]);

test("whoever waits is kept with the request whose branches answer, and passed on to the next", async () => {
  const one = new Driven(Passing);
  one.effects.asker = "their own";
  await one.event("asked", { id: "1" });
  const caller = { event: "asked", address: "queue:asker", requestId: "their own" };
  assertEquals(Object.values(one.instance.requests).map(({ caller }) => caller), [caller]);
  one.effects.asker = "of another message";
  await one.occur({ kind: "completed", requestId: "1", message: { ok: true } });
  assertEquals(Object.values(one.instance.requests).map(({ caller }) => caller), [caller]);
  void one.asked;
  await one.occur({ kind: "timedOut", requestId: "3", token: "4" });
  assertEquals(one.asked, ['respond {"state":"timed out"} to their own']);
});

test("whoever waits is told once its request is given up, in the unit that does so", async () => {
  const one = new Driven(Passing);
  one.effects.asker = "their own";
  await one.event("asked", { id: "1" });
  void one.asked;
  await one.event("noted", { text: "1" });
  void one.asked;
  await one.occur({ kind: "completed", requestId: "3", message: { ok: true } });
  assertEquals(one.asked, ["unschedule 4", "unschedule 2", "abandon their own"]);
  assertEquals([one.over, one.instance.requests], [true, {}]);
});

test("nobody is kept where nobody waits, or no branch answers", async () => {
  const one = new Driven(Passing);
  await one.event("asked", { id: "1" });
  one.effects.asker = "of another message";
  await one.event("noted", { text: "1" });
  assertEquals(Object.values(one.instance.requests).map(({ caller }) => caller), [undefined, undefined]);
  await one.occur({ kind: "completed", requestId: "1", message: { ok: true } });
  await one.occur({ kind: "completed", requestId: "5", message: { ok: true } });
  assertEquals(one.asked.filter((each) => each.startsWith("respond")), []);
});
