/** What the broker did not take, as a test sees it. */
import { assertEquals, assertInstanceOf, assertMatch, assertRejects } from "@std/assert";
import { command, consumer, event, saga, type, UnroutableError } from "../../mod.ts";
import { createTestHarness } from "../../src/testing/mod.ts";
import { test } from "../support/runner.ts";

const Paid = event<{ orderId: string }>("refused.paid");
const Ship = command<{ orderId: string }>("refused.ship");

const Order = saga("refused-order", {
  data: type<{ paid: boolean }>(),
  states: ["shipping"],
  events: (on) => ({ paid: on.start(Paid, (m) => m.orderId, () => ({ paid: true })) }),
}, ({ initially, when }) => [
  initially(when("paid").send(Ship, (ctx) => ({ orderId: ctx.id })).transitionTo("shipping")),
]);

test("harness: a command of a saga that no endpoint handles is refused, though its event is consumed", async () => {
  const harness = await createTestHarness(Order);
  try {
    harness.refused(Ship).none();
    await harness.publish(Paid, { orderId: "1" });
    await harness.settled();
    harness.consumed(Paid).one();
    harness.sent(Ship).none();
    const refused = harness.refused(Ship).one(({ orderId }) => orderId === "1");
    assertInstanceOf(refused.error, UnroutableError);
    assertEquals([refused.to, refused.endpoint], ["topic:refused.ship", undefined]);
    assertMatch(String(harness.timeline()), /refused +refused\.ship .*UnroutableError/);
  } finally {
    await harness[Symbol.asyncDispose]();
  }
});

test("harness: what a handler's own send is refused with is told, as is what fails with it", async () => {
  const harness = await createTestHarness(consumer(Paid, (paid, ctx) => ctx.send(Ship, paid)));
  try {
    await harness.publish(Paid, { orderId: "1" });
    await harness.settled();
    assertInstanceOf(harness.refused(Ship).one().error, UnroutableError);
    harness.faulted(Paid).one();
    harness.consumed(Paid).none();
    await assertRejects(() => harness.send(Ship, { orderId: "2" }), UnroutableError);
    assertEquals(harness.refused(Ship).all().map(({ message }) => message.orderId), ["1", "2"]);
  } finally {
    await harness[Symbol.asyncDispose]();
  }
});
