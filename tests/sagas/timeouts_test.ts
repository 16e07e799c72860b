import { assertEquals, assertRejects } from "@std/assert";
import { InvalidDurationError, InvalidInstantError, saga, type } from "../../mod.ts";
import { test } from "../support/runner.ts";
import { Driven } from "./fake_effects.ts";
import { Noted, Paid, Submitted } from "./orders.ts";

const Timed = saga("timed", {
  data: type<{ fired: number }>(),
  states: ["a", "b"],
  timeouts: { due: "1s", other: "1m" },
  events: (on) => ({
    begun: on.start(Submitted, (m) => m.id, () => ({ fired: 0 })),
    again: on(Paid, (m) => m.id),
    noted: on(Noted, (m) => m.text),
  }),
}, ({ initially, during, when, timeout }) => [
  initially(when("begun").schedule("due").transitionTo("a")),
  during(
    "a",
    when("again").schedule("due", (ctx) => ctx.message.paymentId === "" ? "2s" : new Date(5_000)),
    when("noted").unschedule("due").unschedule("other"),
    timeout("due").then((ctx) => void ctx.saga.fired++).schedule("other", () => 7),
    timeout("other").transitionTo("b"),
  ),
]);

async function begun(): Promise<Driven> {
  const one = new Driven(Timed, { fired: 0 });
  await one.event("begun");
  return one;
}

test("a timeout is due after its length, after another, or at a time", async () => {
  const one = await begun();
  assertEquals(one.asked, ["schedule due 1 at 2000"]);
  await one.event("again", { paymentId: "" });
  assertEquals(one.asked, ["unschedule 1", "schedule due 2 at 3000"]);
  await one.event("again", { paymentId: "p" });
  assertEquals(one.asked, ["unschedule 2", "schedule due 3 at 5000"]);
});

test("a timeout fires once, and one whose token is not the last is dropped", async () => {
  const one = await begun();
  await one.event("again", { paymentId: "" });
  assertEquals(await one.occur({ kind: "timeout", timeout: "due", token: "1" }), "stale");
  assertEquals(one.instance.data, { fired: 0 });
  assertEquals(await one.timeout("due"), "handled");
  assertEquals(one.instance.data, { fired: 1 });
  assertEquals(await one.occur({ kind: "timeout", timeout: "due", token: "2" }), "stale");
  assertEquals(one.instance.timeouts, { other: "3" });
});

test("a timeout that has been taken back is dropped, and taking back none does nothing", async () => {
  const one = await begun();
  await one.event("noted");
  assertEquals(one.asked, ["schedule due 1 at 2000", "unschedule 1"]);
  assertEquals(await one.occur({ kind: "timeout", timeout: "due", token: "1" }), "stale");
  assertEquals(await one.event("noted"), "handled");
  assertEquals(one.asked, []);
});

test("a timeout that no rule of the state takes is unhandled, and stays due", async () => {
  const one = await begun();
  await one.timeout("due");
  await one.event("again", { paymentId: "" });
  await one.timeout("other");
  assertEquals(one.state, "b");
  assertEquals(await one.timeout("due"), "unhandled");
  assertEquals(Object.keys(one.instance.timeouts), ["due"]);
});

test("what is neither a duration nor a time fails, and nothing is scheduled", async () => {
  const Wrong = saga("wrong", {
    data: type<object>(),
    states: [],
    timeouts: { due: 1 },
    events: (on) => ({ begun: on.start(Submitted, (m) => m.id, () => ({})) }),
  }, ({ initially, when }) => [
    initially(
      when("begun", (ctx) => ctx.message.total === 0).schedule("due", () => "-5s"),
      when("begun").schedule("due", () => new Date(NaN)),
    ),
  ]);
  const one = new Driven(Wrong);
  await assertRejects(() => one.event("begun", { total: 0 }), InvalidDurationError);
  await assertRejects(() => one.event("begun", { total: 1 }), InvalidInstantError);
  assertEquals([one.asked, one.instance.timeouts], [[], {}]);
});
