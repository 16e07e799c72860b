/** The ways in which an instance ends other than by a rule that finalises one that is there: nothing is left of it. */
import { assertEquals } from "@std/assert";
import { command, memoryStore, saga, type } from "../../mod.ts";
import { type Trial, trial } from "../support/trial.ts";
import { CardError, Noted, Packed, Paid, Submitted } from "./orders.ts";

/** An order that ends where it enters `done`, and one that ends by the failure of what begins it. */
const Ending = saga("ending", {
  data: type<{ begun: number }>(),
  states: ["open", "done"],
  timeouts: { due: "1h" },
  events: (on) => ({
    submitted: on.start(Submitted, (m) => m.id, (m) => ({ begun: m.total })),
    paid: on(Paid, (m) => m.id, { onMissing: "discard" }),
    packed: on(Packed, (m) => m.id, { onMissing: "discard" }),
  }),
}, ({ initially, during, when, whenEnter, timeout }) => [
  initially(
    when("submitted", (ctx) => ctx.message.total >= 0).schedule("due").transitionTo("open"),
    when("submitted", (ctx) => ctx.message.total === -1)
      .schedule("due")
      .then(() => {
        throw new CardError("ours");
      })
      .transitionTo("open")
      .catch(CardError, (failed) => failed.publish(Noted, (ctx) => ({ text: ctx.error.message })).finalize()),
    when("submitted").finalize(),
  ),
  during("open", when("paid").transitionTo("done").publish(Noted, (ctx) => ({ text: `behind, in ${ctx.state}` }))),
  during(
    "done",
    whenEnter("done").publish(Noted, (ctx) => ({ text: `entered ${ctx.id}` })).finalize(),
    timeout("due").publish(Noted, () => ({ text: "a timeout of one that is over" })),
  ),
  during("open", timeout("due").publish(Noted, () => ({ text: "a timeout of one that is over" }))),
]);

async function started(t: Trial) {
  const bus = t.bus({ store: memoryStore() });
  bus.add(Ending);
  const told: string[] = [];
  bus.endpoint("told").handle(Noted, ({ text }) => void told.push(text));
  await bus.start();
  const submitted = async (total: number) => {
    await bus.publish(Submitted, { id: "1", total });
    await t.settled();
  };
  const instance = async () => (await bus.sagas(Ending).get("1"))?.data;
  return { bus, told, submitted, instance };
}

trial(
  "an instance that ends where it enters a state is gone, with its timeout; an event then begins another",
  async (t) => {
    const { bus, told, submitted, instance } = await started(t);
    await submitted(1);
    assertEquals(await instance(), { begun: 1 });
    await bus.publish(Paid, { id: "1", paymentId: "p" });
    await t.settled();
    assertEquals(told, ["entered 1", "behind, in final"]);
    assertEquals(await instance(), undefined);
    await submitted(2);
    assertEquals(await instance(), { begun: 2 });
    await bus.publish(Paid, { id: "1", paymentId: "p" });
    await t.pass(10 * 3_600_000);
    assertEquals(told.slice(2), ["entered 1", "behind, in final"]);
    assertEquals((await bus.counts("ending")).failed, 0);
  },
);

trial(
  "an instance whose beginning is caught and finalised leaves none, and no timeout, but what it tells",
  async (t) => {
    const { bus, told, submitted, instance } = await started(t);
    await submitted(-1);
    assertEquals(told, ["The card of ours was refused"]);
    assertEquals(await instance(), undefined);
    // What comes for it finds none; what begins one does so.
    await bus.publish(Packed, { id: "1" });
    await t.pass(10 * 3_600_000);
    assertEquals(told.length, 1);
    assertEquals((await bus.counts("ending")).failed, 0);
    await submitted(3);
    assertEquals(await instance(), { begun: 3 });
  },
);

trial("an instance that its first event finalises is never there", async (t) => {
  const { told, submitted, instance } = await started(t);
  await submitted(-2);
  assertEquals([told, await instance()], [[], undefined]);
  await submitted(4);
  assertEquals(await instance(), { begun: 4 });
});

trial(
  "a beginning that fails may be caught, answered and told of, and leaves no instance, or one elsewhere",
  async (t) => {
    const Open = command<{ id: string; ends: boolean }, { state: string }>("orders.open");
    const Opening = saga("opening", {
      data: type<object>(),
      states: ["open", "refused"],
      events: (on) => ({ asked: on.start(Open, (m) => m.id, () => ({})) }),
    }, ({ initially, when }) => [
      initially(
        when("asked")
          .then(() => {
            throw new CardError("ours");
          })
          .transitionTo("open")
          .catch(
            CardError,
            (failed) =>
              failed
                .publish(Noted, (ctx) => ({ text: `${ctx.id}: ${ctx.error.bank}` }))
                .respond((ctx) => ({ state: `refused by ${ctx.error.bank}` }))
                .ifElse((ctx) => ctx.message.ends, (ends) => ends.finalize(), (stays) => stays.transitionTo("refused")),
          ),
      ),
    ]);
    const bus = t.bus({ store: memoryStore() });
    const told: string[] = [];
    bus.add(Opening);
    bus.endpoint("told").handle(Noted, ({ text }) => void told.push(text));
    await bus.start();
    for (const [id, ends] of [["1", true], ["2", false]] as const) {
      assertEquals(await bus.request(Open, { id, ends }), { state: "refused by ours" });
    }
    await t.settled();
    assertEquals(told, ["1: ours", "2: ours"]);
    const opening = bus.sagas(Opening);
    assertEquals([await opening.get("1"), (await opening.get("2"))?.state], [undefined, "refused"]);
    assertEquals((await bus.counts("opening")).failed, 0);
  },
);
