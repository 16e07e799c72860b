/** Sagas under test: on a virtual clock, with nothing to wait for. */
import { assertEquals, assertThrows } from "@std/assert";
import { ConfigurationError, saga, type } from "../../mod.ts";
import { createTestHarness, HarnessAssertionError } from "../../src/testing/mod.ts";
import { Cancelled, Failed, OrderSaga, Paid, Submitted } from "../sagas/runtime/orders.ts";
import { test } from "../support/runner.ts";

test("a harness tells an instance's state, data and history, and fires its timeouts when time passes", async () => {
  const harness = await createTestHarness(OrderSaga);
  try {
    const order = harness.saga(OrderSaga, "1");
    order.never();
    assertThrows(() => order.state, HarnessAssertionError, `an instance "1" of "order"`);
    assertEquals([order.exists, order.history], [false, []]);
    await harness.publish(Submitted, { id: "1", total: 5 });
    await harness.settled();
    assertEquals([order.exists, order.state, order.data], [true, "waiting", { total: 5, customer: "1" }]);
    assertThrows(() => order.never(), HarnessAssertionError);
    await harness.advance("14m");
    await harness.settled();
    assertEquals(order.state, "waiting");
    await harness.advance("1m");
    await harness.settled();
    assertEquals([order.exists, order.state], [false, "final"]);
    harness.published(Cancelled).one(({ id }) => id === "1");
    assertEquals(order.history, [
      {
        atInMs: 0,
        kind: "event",
        name: "submitted",
        transitions: [{ from: "initial", to: "waiting" }],
        state: "waiting",
      },
      {
        atInMs: 900_000,
        kind: "timeout",
        name: "due",
        transitions: [{ from: "waiting", to: "final" }],
        state: "final",
      },
    ]);
    harness.saga(OrderSaga, "2").never();
  } finally {
    await harness[Symbol.asyncDispose]();
  }
});

test("what a harness gives of an instance is a copy, and what was not committed is not seen", async () => {
  const harness = await createTestHarness(OrderSaga);
  try {
    await harness.publish(Submitted, { id: "1", total: 5 });
    await harness.settled();
    harness.saga(OrderSaga, "1").data.total = 99;
    assertEquals(harness.saga(OrderSaga, "1").data.total, 5);
    await harness.publish(Submitted, { id: "1", total: 7 });
    await harness.settled();
    harness.faulted(Submitted).one();
    assertEquals(harness.saga(OrderSaga, "1").history.length, 1);
    await harness.publish(Paid, { id: "1" });
    await harness.publish(Failed, { id: "none" });
    await harness.settled();
    assertEquals(harness.saga(OrderSaga, "1").state, "paid");
    harness.unhandled(Failed).one();
    harness.saga(OrderSaga, "none").never();
  } finally {
    await harness[Symbol.asyncDispose]();
  }
});

test("a saga that the harness does not run is refused: that nothing became of it would always be so", async () => {
  const harness = await createTestHarness({ configure: (bus) => bus.endpoint("orders").add(OrderSaga) });
  try {
    harness.saga(OrderSaga, "1").never();
    const other = saga("other", {
      data: type<object>(),
      states: ["open"],
      events: (on) => ({ submitted: on.start(Submitted, ({ id }) => id, () => ({})) }),
    }, ({ initially, when }) => [initially(when("submitted").transitionTo("open"))]);
    assertThrows(() => harness.saga(other, "1"), ConfigurationError, 'the saga "other": the harness does not run it');
    const connection = await harness.bus.connect(other);
    harness.saga(other, "1").never();
    await harness.publish(Submitted, { id: "1", total: 5 });
    await harness.settled();
    await connection.disconnect();
    assertEquals(harness.saga(other, "1").state, "open");
  } finally {
    await harness[Symbol.asyncDispose]();
  }
});
