/** The whole vocabulary at once, on a bus: an order that is paid, checked and packed, or is undone. */
import { assertEquals } from "@std/assert";
import { type Bus, memoryStore, saga, type } from "../../mod.ts";
import { type Trial, trial } from "../support/trial.ts";
import { CheckAddress, Failed, GetState, Noted, Packed, Paid, Ship, Submitted, Undo } from "./orders.ts";

const OrderSaga = saga("order", {
  data: type<{ total: number; paymentId?: string }>(),
  states: ["awaitingPayment", "checkingAddress", "processing", "processing.packing", "cancelled"],
  timeouts: { paymentDue: "15m" },
  requires: { processing: ["paymentId"] },
  events: (on) => ({
    submitted: on.start(Submitted, (m) => m.id, (m) => ({ total: m.total })),
    paid: on(Paid, (m) => m.id),
    packed: on(Packed, (m) => m.id),
    failed: on(Failed, (m) => m.id, { onMissing: "discard" }),
    asked: on(GetState, (m) => m.id, { onMissing: "run" }),
  }),
}, ({ initially, during, duringAny, when, whenAll, whenEnter, whenMissing, timeout, sequence, ignore }) => {
  const cancel = sequence((steps) =>
    steps.publish(Noted, (ctx) => ({ text: `cancelled ${ctx.id} in ${ctx.state}` })).transitionTo("cancelled")
  );
  return [
    initially(
      when("submitted").schedule("paymentDue").transitionTo("awaitingPayment"),
      whenMissing("asked").respond((ctx) => ({ state: `no order ${ctx.id}` })),
    ),
    during(
      "awaitingPayment",
      when("paid")
        .unschedule("paymentDue")
        .then((ctx) => {
          ctx.saga.paymentId = ctx.message.paymentId;
        })
        .compensateWith("payment", (undo) => undo.send(Undo, (ctx) => ({ what: `payment ${ctx.message.paymentId}` })))
        .compensateWith("stock", (undo) => undo.send(Undo, (ctx) => ({ what: `stock of ${ctx.id}` })))
        .request(CheckAddress, (ctx) => ({ id: ctx.id }), {
          timeout: "30s",
          pending: "checkingAddress",
          completed: (then) =>
            then.ifElse(
              (ctx) => ctx.message.ok,
              (ok) => ok.transitionTo("processing.packing"),
              (bad) => bad.compensate().run(cancel),
            ),
          faulted: (then) => then.compensate().run(cancel),
          timedOut: (then) => then.run(cancel),
        }),
      timeout("paymentDue").run(cancel),
    ),
    during("checkingAddress", when("packed").then(() => {})),
    during("processing", whenAll("paid", "packed").send(Ship, (ctx) => ({ id: ctx.need("paymentId") })).finalize()),
    during("cancelled", ignore("packed")),
    duringAny(
      when("failed").run(cancel),
      when("asked").respond((ctx) => ({ state: ctx.state })),
      whenEnter("cancelled").unschedule("paymentDue"),
    ),
  ];
});

async function started(t: Trial, check: (id: string) => boolean) {
  const told: string[] = [];
  const bus: Bus<undefined> = t.bus({ store: memoryStore(), routes: { "queue:depot": [Undo, Ship, CheckAddress] } });
  bus.add(OrderSaga);
  bus.endpoint("depot")
    .handle(Undo, ({ what }) => void told.push(`undo ${what}`))
    .handle(Ship, ({ id }) => void told.push(`ship ${id}`))
    .handle(CheckAddress, ({ id }) => ({ ok: check(id) }));
  bus.endpoint("told").handle(Noted, ({ text }) => void told.push(text));
  await bus.start();
  const state = (id: string) => bus.request(GetState, { id }, { timeout: "5s" });
  return { bus, told, state };
}

trial("an order whose address is good is shipped once it is packed, and is gone then", async (t) => {
  const { bus, told, state } = await started(t, () => true);
  assertEquals(await state("1"), { state: "no order 1" });
  await bus.publish(Submitted, { id: "1", total: 5 });
  await t.settled();
  await bus.publish(Packed, { id: "1" });
  await t.settled();
  assertEquals(await state("1"), { state: "awaitingPayment" });
  await bus.publish(Paid, { id: "1", paymentId: "p1" });
  await t.settled();
  assertEquals(told, ["ship p1"]);
  assertEquals(await state("1"), { state: "no order 1" });
});

trial("an order whose address is bad is undone in reverse, and then cancelled", async (t) => {
  const { bus, told, state } = await started(t, () => false);
  await bus.publish(Submitted, { id: "1", total: 5 });
  await t.settled();
  await bus.publish(Paid, { id: "1", paymentId: "p1" });
  await t.settled();
  assertEquals(told, ["undo stock of 1", "undo payment p1", "cancelled 1 in checkingAddress"]);
  assertEquals(await state("1"), { state: "cancelled" });
  await bus.publish(Packed, { id: "1" });
  await t.pass(3_600_000);
  assertEquals(told.length, 3);
});

trial("an order whose check fails, or is not paid in time, is cancelled as well", async (t) => {
  const { bus, told, state } = await started(t, () => {
    throw new Error("no such street");
  });
  await bus.publish(Submitted, { id: "1", total: 5 });
  await bus.publish(Submitted, { id: "2", total: 5 });
  await t.settled();
  await bus.publish(Paid, { id: "1", paymentId: "p1" });
  await t.settled();
  assertEquals(told, ["undo stock of 1", "undo payment p1", "cancelled 1 in checkingAddress"]);
  await t.pass(15 * 60_000);
  assertEquals(told.at(-1), "cancelled 2 in awaitingPayment");
  assertEquals(await state("2"), { state: "cancelled" });
});
