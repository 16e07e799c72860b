import { assertEquals, assertRejects } from "@std/assert";
import {
  command,
  ConfigurationError,
  ConflictError,
  event,
  OutcomeUnknownError,
  type Sender,
  TransactionEndedError,
} from "../../mod.ts";
import { memoryStore } from "../../stores/memory/mod.ts";
import { ScriptedStore } from "../support/fakes/scripted_store.ts";
import { type Trial, trial } from "../support/trial.ts";

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

/** A transaction on a store on which commits go wrong; what it was run for, what it gave, and what left it. */
async function transacting(t: Trial, fails: (commit: number) => Error | undefined, call: "commit" | "committed") {
  const store = new ScriptedStore();
  const bus = t.bus({ store });
  const done: string[] = [];
  bus.endpoint("done").handle(Done, ({ by }) => void done.push(by));
  await bus.start();
  let commits = 0;
  store.script = (each) => {
    if (each !== call) return;
    const error = fails(++commits);
    if (error !== undefined) throw error;
  };
  let runs = 0;
  const outcome = bus.transaction(async (_, sender) => {
    const run = ++runs;
    await sender.publish(Done, { by: `run ${run}` });
    return run;
  }).catch((error: unknown) => error);
  await t.pass(60_000);
  return { outcome: await outcome, runs, done };
}

trial("a transaction that met another is run again, and gives what the one that was committed gave", async (t) => {
  const fails = (commit: number) => commit <= 2 ? new ConflictError("a row") : undefined;
  assertEquals(await transacting(t, fails, "commit"), { outcome: 3, runs: 3, done: ["run 3"] });
});

trial("a transaction that meets others for ever is given up", async (t) => {
  const { outcome, runs, done } = await transacting(t, () => new ConflictError("a row"), "commit");
  assertEquals([outcome instanceof ConflictError, runs, done], [true, 9, []]);
});

for (const call of ["commit", "committed"] as const) {
  trial(`a transaction of which nobody knows whether it is ${call} says so, and is not run again`, async (t) => {
    const { outcome, runs, done } = await transacting(t, () => new OutcomeUnknownError("scripted"), call);
    assertEquals([outcome instanceof OutcomeUnknownError, runs], [true, 1]);
    // What was written leaves, once its lease is over.
    assertEquals(done, call === "committed" ? ["run 1"] : []);
  });
}
