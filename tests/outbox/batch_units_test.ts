import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  command,
  ConflictError,
  DuplicateError,
  event,
  OutcomeUnknownError,
  RequestInTransactionError,
  retry,
  StoreReadOnlyError,
  StoreTimeoutError,
  StoreUnavailableError,
  UnsupportedError,
} from "../../mod.ts";
import { ScriptedStore, type StoreCall } from "../support/fakes/scripted_store.ts";
import { Journal, Latch, type Trial, trial } from "../support/trial.ts";

const Row = command<{ id: number }>("batches.row");
const Special = event<{ id: number }>("batches.special");
const Derived = event<{ id: number; more: string }>("batches.derived", { extends: Special });
const Stored = event<{ ids: string }>("batches.stored");
const Ask = command<{ id: number }>("batches.ask");

/** A bus with a batch endpoint, what it has published, and the batches that its handler got. */
async function batching(
  t: Trial,
  store: ScriptedStore,
  options: { readonly fail?: (ids: readonly number[], time: number) => readonly number[]; readonly alone?: boolean } =
    {},
) {
  const batches: string[] = [];
  const stored: string[] = [];
  const bus = t.bus({ store });
  bus.endpoint("rows", { outbox: true, retry: retry.immediate(1) }).batch(
    Row,
    { size: 3, within: "1s", alone: options.alone ?? false },
    async (batch, ctx) => {
      const ids = batch.map(({ message: { id } }) => id);
      batches.push(ids.join());
      await ctx.publish(Stored, { ids: ids.join() });
      for (const id of options.fail?.(ids, batches.length) ?? []) {
        const item = batch.find(({ message }) => message.id === id);
        if (item === undefined) throw new Error(`no ${id}`);
        ctx.fail(item, new Error(`not ${id}`));
      }
    },
  );
  bus.endpoint("stored", { concurrency: 1 }).handle(Stored, ({ ids }) => void stored.push(ids));
  await bus.start();
  const send = async (...ids: number[]) => {
    for (const id of ids) await bus.send(Row, { id }, { messageId: `m${id}` });
  };
  return { bus, batches, stored, send };
}

trial("a batch is one unit: the inbox records of its messages, and what its handler sends", async (t) => {
  const store = new ScriptedStore();
  const { batches, stored, send, bus } = await batching(t, store);
  await send(1, 2, 3);
  await t.settled();
  assertEquals([batches, stored, store.count("commit")], [["1,2,3"], ["1,2,3"], 1]);
  assertEquals(store.scopes[0]?.inbox.map(({ messageId }) => messageId), ["m1#0", "m2#0", "m3#0"]);
  assertEquals(bus.statistics("rows").consumed, 3);
});

trial("messages that were handled before are left out of later batches", async (t) => {
  const { batches, stored, send, bus } = await batching(t, new ScriptedStore());
  await send(1, 2, 3);
  await t.settled();
  await send(2, 4, 3);
  await t.settled();
  await send(1, 2, 3);
  await t.settled();
  assertEquals([batches, stored], [["1,2,3", "4"], ["1,2,3", "4"]]);
  assertEquals(bus.statistics("rows").duplicate, 5);
});

trial("a batch whose handler throws leaves nothing, and is tried again", async (t) => {
  const { batches, stored, send } = await batching(t, new ScriptedStore(), {
    fail: (_, time) => time === 1 ? [-1] : [],
  });
  await send(1, 2, 3);
  await t.settled();
  assertEquals([batches, stored], [["1,2,3", "1,2,3"], ["1,2,3"]]);
});

trial("one that fails alone has no record, comes again, and the others have had their effect", async (t) => {
  const { batches, stored, send, bus } = await batching(t, new ScriptedStore(), {
    fail: (_, time) => time === 1 ? [2] : [],
  });
  await send(1, 2, 3);
  await t.pass(1000);
  assertEquals([batches, stored], [["1,2,3", "2"], ["1,2,3", "2"]]);
  const { consumed, duplicate, retried } = bus.statistics("rows");
  assertEquals({ consumed, duplicate, retried }, { consumed: 3, duplicate: 0, retried: 1 });
});

trial("after a failure each is handled alone, in a unit of its own", async (t) => {
  const fail = (ids: readonly number[]) => ids.includes(2) ? [-1] : [];
  const { batches, stored, send } = await batching(t, new ScriptedStore(), { alone: true, fail });
  await send(1, 2, 3);
  await t.pass(2000);
  assertEquals(batches, ["1,2,3", "1", "2", "3", "2"]);
  assertEquals(stored, ["1", "3"]);
  assertEquals(await t.count("rows_error"), 1);
});

for (
  const [what, error] of [
    ["met another", new ConflictError("a row")],
    ["came after another for one of its messages", new DuplicateError("rows", "m1")],
  ] as const
) {
  trial(`a batch that ${what} is run again`, async (t) => {
    const store = new ScriptedStore();
    store.script = (call, time) => {
      if (call === "commit" && time === 1) throw error;
    };
    const { batches, stored, send, bus } = await batching(t, store);
    await send(1, 2, 3);
    await t.pass(1000);
    assertEquals([batches, stored], [["1,2,3", "1,2,3"], ["1,2,3"]]);
    assertEquals(bus.statistics("rows").retried, 0);
  });
}

for (const written of [true, false]) {
  trial(`a batch whose commit was ${written ? "" : "not "}written, and nobody knows, has one effect`, async (t) => {
    const store = new ScriptedStore();
    store.script = (call, time) => {
      if (call === (written ? "committed" : "commit") && time === 1) throw new OutcomeUnknownError("scripted");
    };
    const fail = (ids: readonly number[], time: number) => time === 1 && ids.includes(2) ? [2] : [];
    const { stored, send, bus } = await batching(t, store, { fail });
    await send(1, 2, 3);
    await t.pass(60_000);
    assertEquals(stored.toSorted(), written ? ["1,2,3", "2"] : ["1,2,3"]);
    const { consumed, duplicate } = bus.statistics("rows");
    assertEquals({ consumed, duplicate }, { consumed: 3, duplicate: 0 });
  });
}

trial("a batch whose store goes away before its commit is handled again, and does not fail by it", async (t) => {
  const store = new ScriptedStore();
  store.script = (call, time) => {
    if (call === "commit" && time === 1) throw new StoreUnavailableError("scripted", "there", "connection refused");
  };
  const { batches, stored, send, bus } = await batching(t, store);
  await send(1, 2, 3);
  await t.pass(1000);
  assertEquals([batches, stored], [["1,2,3", "1,2,3"], ["1,2,3"]]);
  assertEquals(bus.statistics("rows").retried, 0);
});

trial("a batch whose commit the store ends for its time has failed an attempt", async (t) => {
  const store = new ScriptedStore();
  store.script = (call, time) => {
    if (call === "commit" && time === 1) throw new StoreTimeoutError("scripted", "there", "statement timeout");
  };
  const { batches, stored, send, bus } = await batching(t, store);
  await send(1, 2, 3);
  await t.pass(60_000);
  assertEquals([batches.length, stored.toSorted()], [2, ["1,2,3"]]);
  assertEquals(bus.statistics("rows").retried, 3);
});

trial("a batch that meets others for ever is given up, by the retry policy", async (t) => {
  const store = new ScriptedStore();
  store.script = (call) => {
    if (call === "commit") throw new ConflictError("a row");
  };
  const { batches, stored, send } = await batching(t, store);
  await send(1, 2, 3);
  await t.pass(60_000);
  assertEquals([batches.length, stored, await t.count("rows_error")], [18, [], 3]);
});

trial("the health of a bus tells of a store that the handler of a batch finds ill", async (t) => {
  const store = new ScriptedStore();
  const fail = (): readonly number[] => {
    throw new StoreReadOnlyError("scripted", "there");
  };
  const { send, bus } = await batching(t, store, { fail });
  await send(1, 2, 3);
  await t.pass(2000);
  assertEquals(bus.statistics("rows").faulted, 3);
  const [ill] = bus.health().parts.filter(({ status }) => status === "degraded");
  assertStringIncludes(ill?.reason ?? "", "Units of work fail: ");
});

trial("messages of a batch that are put off come again", async (t) => {
  const bus = t.bus();
  const seen: string[] = [];
  bus.endpoint("rows", { outbox: true }).batch(Row, { size: 2 }, async (batch) => {
    seen.push(batch.map(({ message: { id } }) => id).join());
    if (seen.length === 1) await batch[0]?.defer("1m");
  });
  await bus.start();
  await bus.send(Row, { id: 1 });
  await bus.send(Row, { id: 2 });
  await t.pass(61_000);
  assertEquals(seen, ["1,2", "1"]);
  assertEquals(bus.statistics("rows").deferred, 1);
});

trial("a batch that runs out of time leaves nothing, whatever its handler does then", async (t) => {
  const bus = t.bus();
  const latch = new Latch();
  const stored: string[] = [];
  let late: Promise<unknown> = Promise.resolve();
  bus.endpoint("rows", { outbox: true, timeout: "1s" }).batch(Row, { size: 1 }, async (_, ctx) => {
    await ctx.publish(Stored, { ids: "never" });
    await latch.pass();
    late = ctx.publish(Stored, { ids: "late" });
    await late;
  });
  bus.endpoint("stored").handle(Stored, ({ ids }) => void stored.push(ids));
  await bus.start();
  await bus.send(Row, { id: 1 });
  await t.pass(1000);
  latch.open();
  await t.settled();
  await assertRejects(() => late);
  assertEquals([stored, await t.count("rows_error")], [[], 1]);
});

trial("a batch waits for no answer in an open transaction, and neither do its messages", async (t) => {
  const bus = t.bus();
  bus.endpoint("rows", { outbox: true }).batch(Row, { size: 1 }, async (batch, ctx) => {
    void ctx.tx;
    await assertRejects(() => ctx.request(Ask, { id: 1 }), RequestInTransactionError);
    await assertRejects(async () => await batch[0]?.request(Ask, { id: 1 }), RequestInTransactionError);
  });
  bus.endpoint("asked").handle(Ask, () => {});
  await bus.start();
  await bus.send(Row, { id: 1 });
  await t.settled();
  assertEquals(bus.statistics("rows").consumed, 1);
});

/** A bus whose batches are asked for, and what was answered, by the time of it. */
async function asking(t: Trial, store: ScriptedStore, handle: (time: number) => void = () => {}) {
  const answers: string[] = [];
  const bus = t.bus({ store });
  let times = 0;
  bus.endpoint("rows", { outbox: true, retry: retry.immediate(1) })
    .batch(Row, { size: 2, within: "1s" }, () => handle(++times));
  const journal = new Journal();
  bus.observe(journal);
  await bus.start();
  const ask = (id: number) => bus.request(Row, { id }, { timeout: "5m" }).then(() => answers.push(`${id}`));
  return { answers, ask, replies: () => journal.of("respond").length };
}

trial("the answer to a batched command is part of the batch's unit", async (t) => {
  const store = new ScriptedStore();
  const commit = new Latch();
  store.script = (call) => call === "commit" ? commit.pass() : undefined;
  const { answers, ask, replies } = await asking(t, store);
  const asked = [ask(1), ask(2)];
  await t.settled();
  assertEquals([commit.arrived, answers, replies()], [1, [], 0], "It was answered before the commit");
  commit.open();
  await Promise.all(asked);
  assertEquals([answers.toSorted(), replies()], [["1", "2"], 2]);
});

trial("the answer to a batched command waits in the store, where only that knows that it was committed", async (t) => {
  const store = new ScriptedStore();
  store.script = (call, time) => {
    if (call === "committed" && time === 1) throw new OutcomeUnknownError("scripted");
  };
  const { answers, ask, replies } = await asking(t, store);
  const asked = [ask(1), ask(2)];
  await t.pass(20_000);
  assertEquals([answers, replies()], [[], 0], "It was answered beside the unit");
  await t.pass(20_000);
  await Promise.all(asked);
  assertEquals([store.count("commit"), replies()], [1, 2]);
});

for (
  const [what, script, handle] of [
    ["met another", (call: StoreCall, time: number) => {
      if (call === "commit" && time === 1) throw new ConflictError("a row");
    }, () => {}],
    ["was not written, and nobody knows", (call: StoreCall, time: number) => {
      if (call === "commit" && time === 1) throw new OutcomeUnknownError("scripted");
    }, () => {}],
    ["failed", () => {}, (time: number) => {
      if (time === 1) throw new Error("once");
    }],
  ] as const
) {
  trial(`a batched command is answered once, by the unit that was committed, when the first one ${what}`, async (t) => {
    const store = new ScriptedStore();
    store.script = script;
    const { ask, replies } = await asking(t, store, handle);
    const asked = [ask(1), ask(2)];
    await t.pass(10_000);
    await Promise.all(asked);
    assertEquals(replies(), 2);
  });
}

trial("a batched command that fails alone, or is put off, is answered when it has been handled", async (t) => {
  const bus = t.bus({ store: new ScriptedStore() });
  const times = new Map<number, number>();
  bus.endpoint("rows", { outbox: true, retry: retry.immediate(1) })
    .batch(Row, { size: 3, within: "1s" }, async (batch, ctx) => {
      for (const item of batch) {
        const { id } = item.message;
        const time = (times.get(id) ?? 0) + 1;
        times.set(id, time);
        if (id === 2 && time === 1) ctx.fail(item, new Error("alone"));
        if (id === 3 && time === 1) await item.defer("1m");
      }
    });
  const journal = new Journal();
  bus.observe(journal);
  await bus.start();
  const at = await Promise.all([
    ...[1, 2, 3].map((id) => bus.request(Row, { id }, { timeout: "5m" }).then(() => t.clock.now())),
    t.pass(70_000).then(() => 0),
  ]);
  const [first = 0, second = 0, third = 0] = at;
  assert(second - first >= 1000 && third - first >= 60_000, at.join());
  assertEquals([[...times.values()], journal.of("respond").length], [[1, 2, 2], 3]);
});

trial("a message cannot be in a batch's unit and in another", async (t) => {
  const bus = t.bus();
  bus.endpoint("rows", { outbox: true }).batch(Special, {}, () => {}).handle(Derived, () => {});
  await assertRejects(() => bus.start(), UnsupportedError, "batches.derived");
});

trial("a store that writes one thing at a time takes no batches", async (t) => {
  const bus = t.bus({ store: new ScriptedStore(undefined, { atomic: "partition" }) });
  bus.endpoint("rows", { outbox: true }).batch(Row, {}, () => {});
  await assertRejects(() => bus.start(), UnsupportedError, "scripted");
});
