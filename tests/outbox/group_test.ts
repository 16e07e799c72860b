import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  command,
  ConfigurationError,
  ConflictError,
  DuplicateError,
  event,
  OutcomeUnknownError,
  RequestInTransactionError,
  retry,
  StoreUnavailableError,
  TransactionEndedError,
  UnsupportedError,
} from "../../mod.ts";
import { ScriptedStore } from "../support/fakes/scripted_store.ts";
import { sqliteTrial } from "../support/sqlite_trial.ts";
import { Latch, type Trial, trial } from "../support/trial.ts";

const Work = command<{ id: number }>("groups.work");
const Done = event<{ by: string }>("groups.done");
const Ask = command<{ id: number }>("groups.ask");

/** A bus whose endpoint takes four at once, what its handler ran for, and what it has published. */
async function grouping(t: Trial, store: ScriptedStore, handle: (id: number, run: number) => unknown = () => {}) {
  const runs: number[] = [];
  const done: string[] = [];
  const bus = t.bus({ store });
  bus.endpoint("work", { outbox: { group: 4 }, retry: retry.immediate(1) }).handle(Work, async ({ id }, ctx) => {
    runs.push(id);
    await ctx.publish(Done, { by: String(id) });
    await handle(id, runs.filter((each) => each === id).length);
  });
  bus.endpoint("done", { concurrency: 1 }).handle(Done, ({ by }) => void done.push(by));
  await bus.start();
  // They come together once the endpoint takes them.
  const send = async (...ids: readonly number[]) => {
    await bus.pause("work");
    for (const id of ids) await bus.send(Work, { id }, { messageId: `m${id}` });
    await t.settled();
    await bus.resume("work");
    await t.pass(5000);
  };
  return { bus, runs, done, send, consumed: () => bus.statistics("work").consumed };
}

trial("messages that come together share a commit, one after the other", async (t) => {
  const store = new ScriptedStore();
  const { runs, done, send, consumed } = await grouping(t, store);
  await send(1, 2, 3, 4, 5, 6);
  assertEquals(store.scopes.map(({ inbox }) => inbox.length), [4, 2]);
  assertEquals([runs.filter((id) => id <= 4), runs.filter((id) => id > 4)], [[1, 2, 3, 4], [5, 6]]);
  assertEquals([done.toSorted(), consumed()], [["1", "2", "3", "4", "5", "6"], 6]);
  assertEquals(store.count("commit"), 2);
});

trial("members whose turn had not come when the unit of all ended are run alone, and none is given up", async (t) => {
  const store = new ScriptedStore();
  const { bus, runs, done, send } = await grouping(t, store, (id, run) => {
    if (id === 2 && run === 1) throw new StoreUnavailableError("scripted", "here", "its connection was lost");
  });
  const [faulted, health]: [string[], string[]] = [[], []];
  bus.observe({ faulted: ({ messageId }) => void faulted.push(messageId) });
  store.script = (call, time) => {
    if ((call !== "savepoint" || time < 3) && (call !== "commit" || time > 1)) return;
    if (store.count("begin") > 1) return;
    if (call === "commit") health.push(...bus.health().parts.flatMap(({ reason = [] }) => reason));
    throw new TransactionEndedError("scripted");
  };
  await send(1, 2, 3, 4);
  assertEquals([runs.toSorted(), done.toSorted(), faulted], [[1, 1, 2, 2, 3, 4], ["1", "2", "3", "4"], []]);
  // While nothing is committed.
  assertEquals(health.length, 1);
  assertStringIncludes(health[0] ?? "", "Units of work fail: ");
  assertStringIncludes(health[0] ?? "", "its connection was lost");
  assertEquals(bus.health().status, "healthy");
});

trial("one's failure is its own: what it sent is dropped, its retry has a record of its own", async (t) => {
  const store = new ScriptedStore();
  const { bus, runs, done, send } = await grouping(t, store, (id, run) => {
    if (id === 2 && run === 1) throw new Error("once");
  });
  await send(1, 2, 3, 4);
  assertEquals([runs, done], [[1, 2, 3, 4, 2], ["1", "3", "4", "2"]]);
  const { consumed, duplicate, retried } = bus.statistics("work");
  assertEquals({ consumed, duplicate, retried }, { consumed: 4, duplicate: 0, retried: 1 });
  await send(1, 2, 3, 4);
  assertEquals(bus.statistics("work").duplicate, 4);
});

for (
  const error of [new Error("disk full"), new ConflictError("a row"), new DuplicateError("work", "m1")]
) {
  trial(`a commit that fails with ${error.name} runs each again alone, and spends no try`, async (t) => {
    const store = new ScriptedStore();
    store.script = (call, time) => {
      if (call === "commit" && time === 1) throw error;
    };
    const { bus, runs, done, send, consumed } = await grouping(t, store);
    await send(1, 2, 3);
    assertEquals(runs.toSorted(), [1, 1, 2, 2, 3, 3]);
    assertEquals([done.toSorted(), consumed(), store.count("commit")], [["1", "2", "3"], 3, 4]);
    assertEquals(bus.statistics("work").retried, 0);
  });
}

for (const written of [true, false]) {
  trial(`a group whose commit was ${written ? "" : "not "}written, and nobody knows, has one effect`, async (t) => {
    const store = new ScriptedStore();
    store.script = (call, time) => {
      if (call === (written ? "committed" : "commit") && time === 1) throw new OutcomeUnknownError("scripted");
    };
    const { bus, done, send } = await grouping(t, store);
    await send(1, 2, 3);
    await t.pass(60_000);
    assertEquals(done.toSorted(), ["1", "2", "3"]);
    const { consumed, duplicate } = bus.statistics("work");
    assertEquals({ consumed, duplicate }, { consumed: 3, duplicate: 0 });
  });
}

trial("messages that were handled before are left out, and the same one twice is one", async (t) => {
  const { bus, runs, done, send } = await grouping(t, new ScriptedStore());
  await send(1, 2);
  await send(2, 3, 3, 1);
  assertEquals([runs, done], [[1, 2, 3], ["1", "2", "3"]]);
  assertEquals(bus.statistics("work").duplicate, 3);
});

trial("a member that runs out of time takes nobody with it, and leaves nothing though it goes on", async (t) => {
  const store = new ScriptedStore();
  const bus = t.bus({ store });
  const latch = new Latch();
  const done: string[] = [];
  bus.endpoint("work", { outbox: { group: 4 }, timeout: "1s" }).handle(Work, async ({ id }, ctx) => {
    if (id === 2) await latch.pass();
    await ctx.publish(Done, { by: String(id) });
  });
  bus.endpoint("done", { concurrency: 1 }).handle(Done, ({ by }) => void done.push(by));
  await bus.start();
  await bus.pause("work");
  for (const id of [1, 2, 3]) await bus.send(Work, { id });
  await bus.resume("work");
  await t.pass(5000);
  latch.open();
  await t.settled();
  assertEquals(done.toSorted(), ["1", "3"]);
  assertEquals(await t.count("work_error"), 1);
});

sqliteTrial("what a member that ran out of time still writes is in no commit of the others", async (t, file) => {
  const bus = file.bus();
  const [late, other] = [new Latch(), new Latch()];
  bus.endpoint("work", { outbox: { group: 4 }, timeout: "1s" }).handle(Work, async ({ id }, ctx) => {
    const { tx } = ctx;
    await tx.run("INSERT INTO own VALUES (?)", `${id} first`);
    if (id === 1) await late.pass();
    else await other.pass();
    await tx.run("INSERT INTO own VALUES (?)", `${id} last`);
  });
  await bus.start();
  await bus.transaction((tx) => tx.run("CREATE TABLE own (text TEXT)"));
  await bus.pause("work");
  for (const id of [1, 2]) await bus.send(Work, { id });
  await bus.resume("work");
  await t.until("the first to wait", () => late.arrived === 1);
  await t.pass(1_500);
  await t.until("the second to wait", () => other.arrived > 0);
  late.open();
  await t.settled();
  other.open();
  await t.pass(5_000);
  const rows = await bus.transaction((tx) => tx.all<{ text: string }>("SELECT text FROM own ORDER BY rowid"));
  assertEquals(rows.map(({ text }) => text), ["2 first", "2 last"]);
  assertEquals(await t.count("work_error"), 1);
});

trial("what a member puts off comes again, and a request waits in no transaction of another member", async (t) => {
  const bus = t.bus();
  const seen: number[] = [];
  const refused: string[] = [];
  bus.endpoint("work", { outbox: { group: 4 } }).handle(Work, async ({ id }, ctx) => {
    seen.push(id);
    if (id === 1) void ctx.tx;
    if (id === 2) {
      await assertRejects(() => ctx.request(Ask, { id }), RequestInTransactionError).then(() => refused.push("2"));
    }
    if (seen.length === 1) await ctx.defer("1m");
  });
  bus.endpoint("ask").handle(Ask, () => {});
  await bus.start();
  await bus.pause("work");
  for (const id of [1, 2]) await bus.send(Work, { id });
  await bus.resume("work");
  await t.pass(60_000);
  assertEquals([seen, refused], [[1, 2, 1], ["2"]]);
  assertEquals(bus.statistics("work").deferred, 1);
});

trial("what comes while as many groups run as fill the concurrency fills the next one", async (t) => {
  const store = new ScriptedStore();
  const latch = new Latch();
  const bus = t.bus({ store });
  bus.endpoint("work", { outbox: { group: 8 }, concurrency: 16 }).handle(Work, () => latch.pass());
  await bus.start();
  for (let id = 0; id < 12; id++) {
    await bus.send(Work, { id });
    await t.settled();
  }
  assertEquals(store.scopes.map(({ inbox }) => inbox.length), [1, 1]);
  latch.open();
  await t.settled();
  assertEquals(store.scopes.map(({ inbox }) => inbox.length), [1, 1, 8, 2]);
  assertEquals(bus.statistics("work").consumed, 12);
});

trial("what waits for its group when the bus stops goes back, and is not handled", async (t) => {
  const latch = new Latch();
  const bus = t.bus();
  bus.endpoint("work", { outbox: { group: 2 }, concurrency: 2 }).handle(Work, () => latch.pass());
  await bus.start();
  for (const id of [1, 2]) {
    await bus.send(Work, { id });
    await t.settled();
  }
  await bus.stop({ deadline: 0 });
  latch.open();
  await t.settled();
  assertEquals([latch.arrived, await t.count("work")], [1, 2]);
});

trial("a group that is none is refused, and so is one where the store writes one thing at a time", async (t) => {
  for (const group of [0, 1.5, NaN]) {
    const bus = t.bus();
    bus.endpoint("work", { outbox: { group } }).handle(Work, () => {});
    await assertRejects(() => bus.start(), ConfigurationError, "group");
  }
  const bus = t.bus({ store: new ScriptedStore(undefined, { atomic: "partition" }) });
  bus.endpoint("work", { outbox: { group: 2 } }).handle(Work, () => {});
  const error = await assertRejects(() => bus.start(), UnsupportedError);
  assert(error.message.includes("scripted"));
});
