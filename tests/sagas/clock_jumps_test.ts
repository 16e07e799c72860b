/** The clock of a machine is set on or back while timeouts of a saga are due: when they fire changes, not whether. */
import { assertEquals } from "@std/assert";
import { memoryStore, saga, type } from "../../mod.ts";
import { type Trial, trial } from "../support/trial.ts";
import { Noted, Packed, Paid, Submitted } from "./orders.ts";

const hour = 3_600_000;

const Timed = saga("timed", {
  data: type<object>(),
  states: ["waiting"],
  timeouts: { due: "1h" },
  events: (on) => ({
    submitted: on.start(Submitted, (m) => m.id, () => ({})),
    paid: on(Paid, (m) => m.id),
    packed: on(Packed, (m) => m.id),
  }),
}, ({ initially, during, when, timeout }) => [
  initially(when("submitted").schedule("due").transitionTo("waiting")),
  during(
    "waiting",
    when("paid").schedule("due"),
    when("packed").unschedule("due"),
    timeout("due").publish(Noted, (ctx) => ({ text: ctx.id })),
  ),
]);

async function waiting(t: Trial) {
  const bus = t.bus({ store: memoryStore() });
  bus.add(Timed);
  const fired: string[] = [];
  bus.endpoint("told").handle(Noted, ({ text }) => void fired.push(text));
  await bus.start();
  await bus.publish(Submitted, { id: "1", total: 1 });
  await t.settled();
  const paid = async () => {
    await bus.publish(Paid, { id: "1", paymentId: "p" });
    await t.settled();
  };
  return { bus, fired, paid };
}

trial("a timeout that a clock set on has made due fires at once, and once", async (t) => {
  const { fired } = await waiting(t);
  t.clock.jump(2 * hour);
  await t.settled();
  assertEquals(fired, ["1"]);
  t.clock.jump(-2 * hour);
  await t.pass(10 * hour);
  assertEquals(fired, ["1"]);
});

trial("a timeout of a clock set back fires once, when that clock says so", async (t) => {
  const { fired } = await waiting(t);
  t.clock.jump(-2 * hour);
  await t.pass(3 * hour - 1_000);
  assertEquals(fired, []);
  await t.pass(10 * hour);
  assertEquals(fired, ["1"]);
});

for (const [how, by] of [["on", 30 * 60_000], ["back", -30 * 60_000]] as const) {
  trial(
    `a timeout that is scheduled anew after the clock was set ${how} is due from then, and the old one never`,
    async (t) => {
      const { fired, paid } = await waiting(t);
      t.clock.jump(by);
      await paid();
      await t.pass(hour - 1_000);
      assertEquals(fired, []);
      await t.pass(10 * hour);
      assertEquals(fired, ["1"]);
    },
  );
}

trial("a timeout that is taken back before a clock set on would fire it, does not fire", async (t) => {
  const { bus, fired } = await waiting(t);
  await bus.publish(Packed, { id: "1" });
  await t.settled();
  t.clock.jump(2 * hour);
  await t.pass(10 * hour);
  assertEquals(fired, []);
});
