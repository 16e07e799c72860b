/** Stopping a bus while messages wait for an instance. */
import { assertEquals } from "@std/assert";
import { event, saga, type } from "../../../mod.ts";
import { memoryDatabase, memoryStore } from "../../../stores/memory/mod.ts";
import { Latch, trial } from "../../support/trial.ts";

const Added = event<{ id: string; by: number }>("sums.added");

function sumSaga(latch: Latch | undefined) {
  return saga("sum", {
    data: type<{ total: number }>(),
    states: ["open"],
    events: (on) => ({ added: on.start(Added, (m) => m.id, () => ({ total: 0 })) }),
  }, ({ initially, during, when }) => {
    const add = () =>
      when("added").then(async (ctx) => {
        await latch?.pass();
        ctx.saga.total += ctx.message.by;
      });
    return [initially(add().transitionTo("open")), during("open", add())];
  });
}

trial("messages that wait for an instance when the bus stops are left to the next process, in full", async (t) => {
  const database = memoryDatabase();
  const latch = new Latch();
  const Held = sumSaga(latch);
  const bus = t.bus({ store: memoryStore({ database }) });
  bus.add(Held, { concurrency: 8 });
  await bus.start();
  for (let by = 1; by <= 5; by++) await bus.publish(Added, { id: "1", by });
  await bus.publish(Added, { id: "2", by: 7 });
  await t.settled();
  // One for each instance: the others hold nothing, and wait.
  assertEquals(latch.arrived, 2);
  const stopping = bus.stop({ deadline: 0 });
  await t.pass(1_000);
  latch.open();
  await stopping;
  const Sum = sumSaga(undefined);
  const next = t.bus({ store: memoryStore({ database }) });
  next.add(Sum);
  await next.start();
  await t.pass(60_000);
  const sums = next.sagas(Sum);
  assertEquals([(await sums.get("1"))?.data.total, (await sums.get("2"))?.data.total], [15, 7]);
});
