import { assertEquals, assertRejects } from "@std/assert";
import { NonErrorThrownError, retry, saga, type } from "../../mod.ts";
import { test } from "../support/runner.ts";
import { Driven } from "./fake_effects.ts";
import { CardError, GetState, Noted, Submitted } from "./orders.ts";

type Log = { log: string[] };
const log = (one: Driven) => (one.instance.data as Log).log;

test("a branch is taken by what its function says, and what stands behind it goes on", async () => {
  const Branching = saga("branching", {
    data: type<Log>(),
    states: ["a"],
    events: (on) => ({ begun: on.start(Submitted, (m) => m.id, () => ({ log: [] })) }),
  }, ({ initially, when, sequence }) => {
    const note = sequence((steps) => steps.then((ctx) => void ctx.saga.log.push("noted")));
    return [
      initially(
        when("begun")
          .if((ctx) => ctx.message.total > 1, (then) => then.then((ctx) => void ctx.saga.log.push("if")))
          .ifElse(
            (ctx) => ctx.message.total > 2,
            (then) => then.then((ctx) => void ctx.saga.log.push("more")).run(note),
            (then) => then.then(async (ctx) => void await ctx.saga.log.push("less")),
          )
          .switch((ctx) => ctx.message.total === 1 ? "one" : "many", {
            one: (then) => then.run(note).finalize(),
            many: (then) => then.transitionTo("a"),
          })
          .then((ctx) => void ctx.saga.log.push(String(ctx.state))),
      ),
    ];
  });
  const one = new Driven(Branching, { log: [] });
  await one.event("begun", { total: 1 });
  assertEquals(log(one), ["less", "noted", "final"]);
  const two = new Driven(Branching, { log: [] });
  await two.event("begun", { total: 3 });
  assertEquals(log(two), ["if", "more", "noted", "a"]);
});

/** Throws what its message says, now or later. */
function risky(text: string): void | Promise<void> {
  if (text === "card") throw new CardError("mine");
  if (text === "card later") return Promise.reject(new CardError("theirs"));
  if (text === "range") throw new RangeError("too far");
  if (text === "wrapped") throw new Error("wrapped", { cause: new CardError("inner") });
  if (text === "text") throw "a text";
}

const Catching = saga("catching", {
  data: type<Log>(),
  states: ["a", "refused"],
  events: (on) => ({
    begun: on.start(Submitted, (m) => m.id, () => ({ log: [] })),
    noted: on(Noted, (m) => m.text),
  }),
}, ({ initially, during, when, sequence }) => {
  const guarded = sequence(
    "noted",
    (steps) =>
      steps.then((ctx) => risky(ctx.message.text)).catch(
        RangeError,
        (failed) => failed.then((ctx) => void ctx.saga.log.push(`range ${ctx.error.message}`)),
      ),
  );
  return [
    initially(when("begun").transitionTo("a")),
    during(
      "a",
      when("noted")
        .then((ctx) => {
          if (ctx.message.text.startsWith("early ")) return risky(ctx.message.text.slice(6));
        })
        .run(guarded)
        .then((ctx) => void ctx.saga.log.push("behind"))
        .catch(
          CardError,
          (failed) =>
            failed.then((ctx) => void ctx.saga.log.push(`${ctx.error.bank} of ${ctx.message.text}`)).transitionTo(
              "refused",
            ),
        )
        .catch(CardError, (failed) => failed.then((ctx) => void ctx.saga.log.push("never")))
        .catch(NonErrorThrownError, (failed) => failed.then((ctx) => void ctx.saga.log.push(`${ctx.error.thrown}`)))
        .then((ctx) => void ctx.saga.log.push(`end in ${ctx.state}`)),
    ),
  ];
});

async function caught(text: string): Promise<readonly string[]> {
  const one = new Driven(Catching, { log: [] });
  await one.event("begun");
  await one.event("noted", { text });
  return log(one);
}

test("a catch takes errors of its class from the steps before it, and those behind it go on", async () => {
  assertEquals(await caught("none"), ["behind", "end in a"]);
  assertEquals(await caught("card"), ["mine of card", "end in refused"]);
  assertEquals(await caught("card later"), ["theirs of card later", "end in refused"]);
  assertEquals(await caught("text"), ["a text", "end in a"]);
});

test("a catch within a sequence takes errors of that sequence alone", async () => {
  assertEquals(await caught("range"), ["range too far", "behind", "end in a"]);
  await assertRejects(() => caught("early range"), RangeError);
  assertEquals(await caught("early card"), ["mine of early card", "end in refused"]);
});

test("a catch does not look for what led to an error", async () => {
  await assertRejects(() => caught("wrapped"), Error, "wrapped");
});

test("a catch whose own steps fail leaves that error to those behind it", async () => {
  const Again = saga("again", {
    data: type<Log>(),
    states: ["a"],
    events: (on) => ({ begun: on.start(Submitted, (m) => m.id, () => ({ log: [] })) }),
  }, ({ initially, when }) => [
    initially(
      when("begun")
        .transitionTo("a")
        .then(() => risky("card"))
        .catch(CardError, (failed) => failed.then(() => risky("range")))
        .catch(RangeError, (failed) => failed.then((ctx) => void ctx.saga.log.push(ctx.error.message))),
    ),
  ]);
  const one = new Driven(Again, { log: [] });
  await one.event("begun");
  assertEquals([one.state, log(one)], ["a", ["too far"]]);
});

/** Fails as often as its message says. */
function retrying(policy: ReturnType<typeof retry.immediate>, later: boolean) {
  return saga("retrying", {
    data: type<{ tries: number; log: string[] }>(),
    states: ["a"],
    events: (on) => ({ begun: on.start(Submitted, (m) => m.id, () => ({ tries: 0, log: [] })) }),
  }, ({ initially, when }) => [
    initially(
      when("begun")
        .retry(policy, (steps) =>
          steps.then((ctx) => {
            ctx.saga.tries++;
            const fails = ctx.saga.tries <= ctx.message.total;
            if (later) return fails ? Promise.reject(new CardError("slow")) : Promise.resolve();
            if (fails) throw new CardError("quick");
          }))
        .transitionTo("a")
        .catch(CardError, (failed) => failed.then((ctx) => void ctx.saga.log.push(ctx.error.bank))),
    ),
  ]);
}

test("a retry runs its steps again, waits as its policy says, and leaves to a catch what it gives up", async () => {
  for (const later of [false, true]) {
    const At = retrying(retry.intervals(["10ms", "20ms"]), later);
    const one = new Driven(At, { tries: 0, log: [] });
    await one.event("begun", { total: 2 });
    assertEquals([one.state, one.asked], ["a", ["wait 10", "wait 20"]]);
    assertEquals(one.instance.data, { tries: 3, log: [] });
    const two = new Driven(At, { tries: 0, log: [] });
    await two.event("begun", { total: 3 });
    assertEquals([two.state, two.instance.data], ["initial", { tries: 3, log: [later ? "slow" : "quick"] }]);
  }
});

test("a retry without a wait waits for nothing, however often it is to be", async () => {
  for (const later of [false, true]) {
    const one = new Driven(retrying(retry.immediate(5_000), later), { tries: 0, log: [] });
    await one.event("begun", { total: 5_000 });
    assertEquals([one.state, one.asked, one.instance.data], ["a", [], { tries: 5_001, log: [] }]);
  }
});

test("a retry asks its policy about the error", async () => {
  const At = retrying(retry.immediate(5, { ignore: [CardError] }), false);
  const one = new Driven(At, { tries: 0, log: [] });
  await one.event("begun", { total: 1 });
  assertEquals(one.instance.data, { tries: 1, log: ["quick"] });
});

test("what is sent is what its function gives, now or later", async () => {
  const Sending = saga("sending", {
    data: type<object>(),
    states: [],
    events: (on) => ({ begun: on.start(Submitted, (m) => m.id, () => ({})) }),
  }, ({ initially, when }) => [
    initially(
      when("begun")
        .publish(Noted, (ctx) => ({ text: ctx.message.id }))
        .publish(Noted, async (ctx) => ({ text: await Promise.resolve(`later ${ctx.id}`) })),
    ),
  ]);
  const one = new Driven(Sending);
  one.effects.later = true;
  await one.event("begun", { id: "7", total: 1 });
  assertEquals(one.effects.asked, [
    { asked: "publish", contract: "orders.noted", message: { text: "7" } },
    { asked: "publish", contract: "orders.noted", message: { text: "later 1" } },
  ]);
});

test("an answer may stand in a branch, a sequence, a retry and a catch, and in what they have inside", async () => {
  const Answering = saga("answering", {
    data: type<{ tries: number }>(),
    states: ["a", "refused"],
    events: (on) => ({ asked: on.start(GetState, (m) => m.id, () => ({ tries: 0 })) }),
  }, ({ initially, when, sequence }) => {
    const answer = sequence("asked", (steps) => steps.respond((ctx) => ({ state: `run ${ctx.message.id}` })));
    return [
      initially(
        when("asked").switch((ctx) => ctx.message.id as "if" | "run" | "retry" | "catch", {
          if: (then) => then.if(() => true, (yes) => yes.respond(() => ({ state: "if" }))),
          run: (then) => then.transitionTo("a").run(answer),
          retry: (then) =>
            then.retry(retry.immediate(1), (steps) =>
              steps
                .then((ctx) => {
                  if (++ctx.saga.tries === 1) throw new CardError("first");
                })
                .respond((ctx) => ({ state: `retry ${ctx.saga.tries}` }))),
          catch: (then) =>
            then
              .then(() => {
                throw new CardError("mine");
              })
              .transitionTo("a")
              .catch(
                CardError,
                (failed) =>
                  failed.publish(Noted, (ctx) => ({ text: ctx.error.bank }))
                    .respond((ctx) => ({ state: ctx.error.bank }))
                    .transitionTo("refused"),
              ),
        }),
      ),
    ];
  });
  const asked = async (id: string): Promise<readonly string[]> => {
    const one = new Driven(Answering, { tries: 0 });
    await one.event("asked", { id });
    return [one.state, ...one.asked];
  };
  assertEquals(await asked("if"), ["initial", 'respond {"state":"if"}']);
  assertEquals(await asked("run"), ["a", 'respond {"state":"run run"}']);
  assertEquals(await asked("retry"), ["initial", 'respond {"state":"retry 2"}']);
  assertEquals(await asked("catch"), ["refused", "publish orders.noted", 'respond {"state":"mine"}']);
});
