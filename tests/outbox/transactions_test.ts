import { assertEquals, assertRejects } from "@std/assert";
import { command, ConfigurationError, event, type Sender, TransactionEndedError } from "../../mod.ts";
import { memoryStore } from "../../stores/memory/mod.ts";
import { trial } from "../support/trial.ts";

const Work = command<{ id: string }>("transactions.work");
const Done = event<{ by: string }>("transactions.done");

trial("what is sent in a transaction leaves when it commits, in order", async (t) => {
  const bus = t.bus({ store: memoryStore() });
  const done: string[] = [];
  bus.endpoint("done", { concurrency: 1 }).handle(Done, ({ by }) => void done.push(by));
  await bus.start();
  const result = await bus.transaction(async (_, sender) => {
    await sender.publish(Done, { by: "first" });
    await sender.publish(Done, { by: "second" });
    await t.settled();
    assertEquals(done, []);
    return 42;
  });
  await t.settled();
  assertEquals([result, done], [42, ["first", "second"]]);
});

trial("a transaction whose work throws leaves nothing", async (t) => {
  const bus = t.bus({ store: memoryStore() });
  const done: string[] = [];
  bus.endpoint("done").handle(Done, ({ by }) => void done.push(by));
  await bus.start();
  await assertRejects(
    () =>
      bus.transaction(async (_, sender) => {
        await sender.publish(Done, { by: "never" });
        await sender.schedule(Done, { by: "never" }, { in: "1s" });
        throw new Error("no");
      }),
    Error,
    "no",
  );
  await t.pass(10_000);
  assertEquals(done, []);
});

trial("a sender that is used after its transaction says that it has ended", async (t) => {
  const bus = t.bus({ store: memoryStore() });
  await bus.start();
  let late: Sender | undefined;
  await bus.transaction((_, sender) => void (late = sender));
  await assertRejects(async () => await late?.publish(Done, { by: "late" }), TransactionEndedError);
});

trial("a bus without a store joins no transaction", async (t) => {
  const bus = t.bus();
  await bus.start();
  const tx = {} as never;
  await assertRejects(() => bus.send(Work, { id: "1" }, { tx }), ConfigurationError, "store");
  await assertRejects(() => bus.schedule(Work, { id: "1" }, { in: "1s" }, { tx }), ConfigurationError, "store");
  await assertRejects(() => bus.unschedule({ id: "x" }, { tx }), ConfigurationError, "store");
});

trial("a store that cannot join says so", async (t) => {
  const bus = t.bus({ store: memoryStore() });
  await bus.start();
  const tx = {} as never;
  await assertRejects(() => bus.publish(Done, { by: "1" }, { tx }), ConfigurationError, "join");
});
