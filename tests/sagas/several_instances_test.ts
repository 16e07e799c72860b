/** An event for several instances, of which one is not ready: it is handled by all once, or by none yet. */
import { assertEquals } from "@std/assert";
import { memoryStore, saga, type } from "../../mod.ts";
import { type Trial, trial } from "../support/trial.ts";
import { Failed, GetState, Noted, Packed, Paid, Submitted } from "./orders.ts";

const Orders = saga("order", {
  data: type<{ city: string; seen: number }>(),
  states: ["early", "ready"],
  indexes: ["city"],
  events: (on) => ({
    submitted: on.start(Submitted, (m) => m.id, () => ({ city: "Ulm", seen: 0 })),
    paid: on(Paid, (m) => m.id),
    failed: on(Failed, (m) => m.id),
    noted: on.where(Noted, (m) => ({ city: m.text })),
    packed: on(Packed, (m) => m.id),
    asked: on(GetState, (m) => m.id),
  }),
}, ({ initially, during, duringAny, when, onUnhandled }) => [
  initially(when("submitted").transitionTo("early")),
  during("early", when("paid").transitionTo("ready")),
  during(
    "ready",
    when("noted").then((ctx) => void ctx.saga.seen++),
    when("packed").compensateWith("it", (undo) =>
      undo.then(() => {
        if (failing) throw new Error("not now");
      })),
    when("failed").compensate(),
  ),
  duringAny(when("asked").respond((ctx) => ({ state: `${ctx.state} ${ctx.saga.seen}` }))),
  onUnhandled((_, event) => event === "noted" ? "redeliver" : "fault"),
]);
/** Whether undos fail. */
let failing = false;

async function started(t: Trial) {
  failing = false;
  const bus = t.bus({ store: memoryStore() });
  bus.endpoint("order", { redeliver: ["1s", "2s", "4s"] }).add(Orders);
  await bus.start();
  for (const id of ["1", "2", "3"]) await bus.publish(Submitted, { id, total: 1 });
  await t.settled();
  const paid = async (...ids: readonly string[]) => {
    for (const id of ids) await bus.publish(Paid, { id, paymentId: id });
    await t.settled();
  };
  const states = () =>
    Promise.all(["1", "2", "3"].map(async (id) => (await bus.request(GetState, { id }, { timeout: "5s" })).state));
  return { bus, paid, states };
}

trial("an instance that would have an event come again keeps the others from it until then", async (t) => {
  const { bus, paid, states } = await started(t);
  await paid("1", "3");
  await bus.publish(Noted, { text: "Ulm" });
  await t.settled();
  assertEquals(await states(), ["ready 0", "early 0", "ready 0"]);
  await paid("2");
  await t.pass(60_000);
  assertEquals(await states(), ["ready 1", "ready 1", "ready 1"]);
});

trial("an instance that compensates keeps the others from an event until it has", async (t) => {
  const { bus, paid, states } = await started(t);
  await paid("1", "2", "3");
  await bus.publish(Packed, { id: "2" });
  await t.settled();
  failing = true;
  await bus.publish(Failed, { id: "2", reason: "" });
  await t.settled();
  await bus.publish(Noted, { text: "Ulm" });
  await t.settled();
  failing = false;
  await t.pass(60_000);
  assertEquals(await states(), ["ready 1", "ready 1", "ready 1"]);
});
