/** Answers behind a compensation: whoever asked waits for it, and hears of its end. */
import { assertEquals, assertRejects } from "@std/assert";
import { saga, type } from "../../mod.ts";
import { test } from "../support/runner.ts";
import { Driven } from "./fake_effects.ts";
import { CardError, CheckAddress, GetState, Paid, Submitted } from "./orders.ts";

const outcome = { timeout: "30s" } as const;

const Refused = saga("refused", {
  data: type<{ how: string }>(),
  states: ["a", "b"],
  events: (on) => ({
    begun: on.start(Submitted, (m) => m.id, () => ({ how: "" })),
    asked: on(GetState, (m) => m.id),
    paid: on(Paid, (m) => m.id),
  }),
}, ({ initially, during, when, sequence }) => {
  const register = sequence((steps) =>
    steps
      .compensateWith("first", (undo) => undo.then(() => {}))
      .compensateWith("second", (undo) => undo.then(() => {}))
  );
  const asked = (how: string) => when("asked", (ctx) => ctx.saga.how === how);
  return [
    initially(when("begun").run(register).transitionTo("a")),
    during(
      "a",
      asked("plain").compensate().respond((ctx) => ({ state: `refused ${ctx.message.id}` })).transitionTo("b"),
      asked("nested").if(
        () => true,
        (then) => then.compensate({ downTo: "second" }).then(() => {}),
      ).compensate().respond(() => ({ state: "nested" })),
      asked("branch").request(CheckAddress, (ctx) => ({ id: ctx.id }), {
        ...outcome,
        completed: (then) => then.compensate().respond(() => ({ state: "branch" })),
        faulted: (then) => then.compensate().transitionTo("b"),
        timedOut: (then) => then.respond(() => ({ state: "late" })).compensate().respond(() => ({ state: "twice" })),
      }),
      asked("again").compensate().request(CheckAddress, (ctx) => ({ id: ctx.id }), {
        ...outcome,
        completed: (then) => then.respond(() => ({ state: "again" })).respond(() => ({ state: "twice" })),
        faulted: (then) => then.finalize(),
        timedOut: (then) => then.finalize(),
      }),
      asked("catch").then(() => {
        throw new CardError("no cover");
      }).catch(CardError, (failed) => failed.compensate().respond((ctx) => ({ state: ctx.error.message }))),
      asked("silent").compensate().if(() => false, (then) => then.respond(() => ({ state: "never" }))),
      asked("before").respond(() => ({ state: "before" })).compensate().transitionTo("b"),
      asked("fails").compensate().then(() => {
        throw new CardError("behind");
      }).respond(() => ({ state: "never" })),
      asked("raises").raise("paid", (ctx) => ({ id: ctx.id, paymentId: "p" })).respond(() => ({ state: "raised" })),
      when("paid").compensate().transitionTo("b"),
    ),
    during("b", asked("plain").compensate().respond(() => ({ state: "nothing to undo" }))),
  ];
});

/** One that compensates, for whoever asks under the id `asker`. */
async function begun(how: string): Promise<Driven> {
  const one = new Driven(Refused, { how });
  await one.event("begun");
  one.effects.asker = "asker";
  await one.event("asked", { id: "1" });
  // From here on only what is stored tells.
  one.effects.asker = undefined;
  return one;
}
/** What whoever asked is told, with all that is undone by then. */
async function told(one: Driven): Promise<readonly string[]> {
  const told: string[] = [];
  const listen = () => {
    const left = one.instance.undos.length;
    told.push(...one.asked.filter((each) => /^(respond|abandon)/.test(each)).map((each) => `${left} left: ${each}`));
  };
  listen();
  while (one.instance.compensating !== undefined) {
    await one.resume();
    listen();
  }
  return told;
}

test("whoever asked is answered by what is behind the compensation, once all is undone", async () => {
  const one = await begun("plain");
  assertEquals(one.instance.compensating?.then, [{
    step: "a/asked/compensate",
    message: { id: "1" },
    error: undefined,
    caller: { event: "asked", address: "queue:asker", requestId: "asker" },
  }]);
  assertEquals(await told(one), ['0 left: respond {"state":"refused 1"} to asker']);
  assertEquals(one.state, "b");
  // Where nothing is to be undone it is answered at once.
  one.effects.asker = "asker";
  await one.event("asked", { id: "1" });
  assertEquals(one.asked, ['respond {"state":"nothing to undo"}']);
});

test("whoever asked is answered behind compensations within one another, and behind one of a catch", async () => {
  assertEquals(await told(await begun("nested")), ['0 left: respond {"state":"nested"} to asker']);
  assertEquals(await told(await begun("catch")), [
    '0 left: respond {"state":"The card of no cover was refused"} to asker',
  ]);
  assertEquals(await told(await begun("raises")), ['0 left: respond {"state":"raised"} to asker']);
});

test("whoever asked is answered behind the compensation of a request's branch, or told if that does not", async () => {
  const answered = await begun("branch");
  const request = (one: Driven) => Object.keys(one.instance.requests)[0] ?? "";
  await answered.occur({ kind: "completed", requestId: request(answered), message: { ok: false } });
  assertEquals(await told(answered), ['0 left: respond {"state":"branch"} to asker']);
  const silent = await begun("branch");
  await silent.occur({ kind: "faulted", requestId: request(silent), message: {} });
  // Nothing behind it answers: there is nothing to wait for.
  assertEquals(await told(silent), ["2 left: abandon asker"]);
});

test("whoever asked is answered once", async () => {
  const late = await begun("branch");
  const [requestId = "", open] = Object.entries(late.instance.requests)[0] ?? [];
  await late.occur({ kind: "timedOut", requestId, token: open?.token ?? "" });
  assertEquals(await told(late), ['2 left: respond {"state":"late"} to asker']);
  const twice = await begun("again");
  assertEquals(await told(twice), []);
  await twice.occur({
    kind: "completed",
    requestId: Object.keys(twice.instance.requests)[0] ?? "",
    message: { ok: true },
  });
  assertEquals(await told(twice), ['0 left: respond {"state":"again"} to asker']);
});

test("whoever asked is told where nothing behind the compensation answers after all", async () => {
  assertEquals(await told(await begun("silent")), ["0 left: abandon asker"]);
});

test("nobody is kept where nothing behind the compensation may answer", async () => {
  const one = await begun("before");
  assertEquals(one.instance.compensating?.then.map(({ caller }) => caller), [undefined]);
  assertEquals(await told(one), ['2 left: respond {"state":"before"}']);
});

test("whoever asked stays kept while what is behind the compensation fails", async () => {
  const one = await begun("fails");
  for (let left = 2; left > 0; left--) await one.resume();
  for (let attempt = 0; attempt < 2; attempt++) await assertRejects(() => one.resume(), CardError, "behind");
  assertEquals(one.instance.compensating?.then.map(({ caller }) => caller?.requestId), ["asker"]);
});
