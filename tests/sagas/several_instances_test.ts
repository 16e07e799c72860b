/** An event for several instances, of which one is not ready: it is handled by all once, or by none yet. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { memoryStore, saga, type } from "../../mod.ts";
import { counting } from "../support/counting_store.ts";
import { all, type Trial, trial } from "../support/trial.ts";
import { Failed, GetState, Noted, Packed, Paid, Ship, Submitted } from "./orders.ts";

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
    shipped: on.where(Ship, (m) => ({ city: places.get(m.id)! })),
    asked: on(GetState, (m) => m.id),
  }),
}, ({ initially, during, duringAny, when, onUnhandled }) => [
  initially(when("submitted").transitionTo("early")),
  during("early", when("paid").transitionTo("ready")),
  during(
    "ready",
    when("noted").then((ctx) => {
      ctx.saga.seen++;
      order.push(ctx.id);
    }),
    when("packed").compensateWith("it", (undo) =>
      undo.then(() => {
        if (failing) throw new Error("not now");
      })),
    when("failed").compensate(),
  ),
  duringAny(when("shipped").then((ctx) => void ctx.saga.seen++)),
  duringAny(when("asked").respond((ctx) => ({ state: `${ctx.state} ${ctx.saga.seen}` }))),
  onUnhandled((_, event) => event === "noted" ? "redeliver" : "fault"),
]);
/** Where what is shipped goes. */
const places = new Map([["1", "Ulm"]]);
/** Whether undos fail. */
let failing = false;
/** Which instances have noted, in order. */
let order: string[] = [];

async function started(t: Trial, ids: readonly string[] = ["1", "2", "3"]) {
  failing = false;
  order = [];
  const counts = { commits: 0 };
  const bus = t.bus({ store: counting(memoryStore(), counts) });
  bus.endpoint("order", { redeliver: ["1s", "2s", "4s"] }).add(Orders);
  await bus.start();
  for (const id of ids) await bus.publish(Submitted, { id, total: 1 });
  await t.settled();
  const paid = async (...ids: readonly string[]) => {
    for (const id of ids) await bus.publish(Paid, { id, paymentId: id });
    await t.settled();
  };
  const states = () =>
    Promise.all(ids.map(async (id) => (await bus.request(GetState, { id }, { timeout: "5s" })).state));
  return { bus, counts, paid, states };
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

trial("instances that one event is for are handled in order of id, and written by one commit", async (t) => {
  const ids = ["2", "10", "3", "1"];
  const { bus, counts, paid, states } = await started(t, ids);
  await paid(...ids);
  assertEquals(counts.commits, 2 * ids.length, "one for each event");
  counts.commits = 0;
  await bus.publish(Noted, { text: "Ulm" });
  await t.settled();
  assertEquals(counts.commits, 1);
  assertEquals(order, ["1", "10", "2", "3"]);
  assertEquals(await states(), ["ready 1", "ready 1", "ready 1", "ready 1"]);
});

trial("an event that turns out to have no value of an index is for none, not for all: it is given up", async (t) => {
  const { bus, states } = await started(t);
  await bus.send(Ship, { id: "1" });
  await t.settled();
  assertEquals(await states(), ["early 1", "early 1", "early 1"]);
  await bus.send(Ship, { id: "nowhere" });
  await t.pass(60_000);
  assertEquals(await states(), ["early 1", "early 1", "early 1"]);
  const [failed] = await all(bus.errors("order").list());
  assertEquals(failed?.exceptions[0]?.type, "ConfigurationError");
  assertStringIncludes(failed?.exceptions[0]?.message ?? "", `"shipped" is for: it gives no value of an index`);
});
