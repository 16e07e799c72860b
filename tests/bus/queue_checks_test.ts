import { assertEquals, assertRejects } from "@std/assert";
import { command, ConfigurationError, consumer, event } from "../../mod.ts";
import { trial } from "../support/trial.ts";

const Work = command<{ id: number }>("queues.work");
const Done = event<{ id: number }>("queues.done");

for (const suffix of ["_error", "_skipped"]) {
  trial(`an endpoint whose queue is where another keeps its ${suffix} is refused at start`, async (t) => {
    const bus = t.bus();
    bus.endpoint("orders").handle(Work, () => {});
    bus.endpoint(`orders${suffix}`).handle(Done, () => {});
    const refused = await assertRejects(() => bus.start(), ConfigurationError, `"queue:orders${suffix}" would be`);
    assertEquals(refused.message.includes(`the queue of the endpoint "orders${suffix}"`), true, refused.message);
  });
}

trial("two endpoints that the naming policy gives one queue are refused at start", async (t) => {
  const bus = t.bus({ naming: { queue: () => "same" } });
  bus.endpoint("first").handle(Work, () => {});
  bus.endpoint("second").handle(Done, () => {});
  await assertRejects(
    () => bus.start(),
    ConfigurationError,
    `the endpoint "first" and the queue of the endpoint "second"`,
  );
});

trial("where nothing is kept, the name is free", async (t) => {
  const bus = t.bus();
  bus.endpoint("orders", { keepFailed: false }).handle(Work, () => {});
  bus.endpoint("orders_error").handle(Done, () => {});
  await bus.start();
});

trial("an endpoint that is connected later is held to the same, and the others go on", async (t) => {
  let handled = 0;
  const bus = t.bus();
  bus.endpoint("orders").handle(Work, () => void handled++);
  await bus.start();
  await assertRejects(
    () => bus.connect(consumer(Done, () => {}, { name: "orders_error" })),
    ConfigurationError,
    `"queue:orders_error"`,
  );
  await bus.connect(consumer(Done, () => {}, { name: "others" }));
  await bus.send(Work, { id: 1 });
  await t.settled();
  assertEquals(handled, 1);
});

for (const audit of ["queue:orders", "queue:orders_error", "queue:orders_skipped"] as const) {
  trial(`an audit to ${audit} of the endpoint itself is refused at start`, async (t) => {
    const bus = t.bus();
    bus.endpoint("orders", { audit }).handle(Work, () => {});
    await assertRejects(() => bus.start(), ConfigurationError, `{ audit: "${audit}" } of "orders" leads back`);
  });
}

trial("audits that lead back by way of another endpoint are refused, those that end are not", async (t) => {
  const bus = t.bus();
  bus.endpoint("orders", { audit: "queue:copies" }).handle(Work, () => {});
  bus.endpoint("copies", { audit: "queue:copies-of-copies" }).handle(Done, () => {});
  bus.endpoint("copies-of-copies").handle(command("queues.other"), () => {});
  await bus.start();

  const round = t.bus({ name: "round" });
  round.endpoint("first", { audit: "queue:second" }).handle(Work, () => {});
  round.endpoint("second", { audit: "queue:first" }).handle(Done, () => {});
  await assertRejects(() => round.start(), ConfigurationError, "leads back");
});
