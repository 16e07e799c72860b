/** Queues and store in one file: what is received, written, sent and settled becomes true in one commit. */
import { assertEquals, assertRejects } from "@std/assert";
import { command, event, query, retry, UnroutableError } from "../../mod.ts";
import type { Bus } from "../../src/bus/bus.ts";
import type { SqliteTransaction } from "../../stores/sqlite/mod.ts";
import { type OneFile, oneFileTrial } from "../support/one_file_trial.ts";
import { Journal, Latch, type Trial } from "../support/trial.ts";

const Work = command<{ id: string }>("one.work");
const Done = event<{ id: string }>("one.done");
const Alone = command<{ id: string }>("one.alone");
const Grouped = command<{ id: string }>("one.grouped");
const Batched = command<{ id: string }>("one.batched");
const Base = event<{ id: string }>("one.base");
const Derived = event<{ id: string }>("one.derived", { extends: Base });
const Missing = command<{ id: string }>("one.missing", { to: "queue:nowhere" });
const Ask = command<{ id: string }, { id: string }>("one.ask");
const Look = query<{ id: string }, { id: string }>("one.look");

const of = (endpoint: string): string => `hero_queue_messages WHERE via = 'topic:one.${endpoint}'`;

/** What any other program sees: messages that are to be handled, messages that are out, effects, inbox records. */
async function seen(file: OneFile): Promise<readonly number[]> {
  return await Promise.all([of("work"), of("done"), "own", "hero_inbox"].map((what) => file.count(what)));
}

/** An endpoint that writes a row and publishes an event for each message. */
function worker(
  bus: Bus<SqliteTransaction>,
  options: { readonly group?: number } = {},
  between: (id: string, attempt: number) => unknown = () => {},
): void {
  bus.endpoint("work", { outbox: options, redeliver: ["1s"] }).handle(Work, async ({ id }, ctx) => {
    await ctx.tx.run("INSERT INTO own VALUES (?)", id);
    await ctx.publish(Done, { id });
    await between(id, ctx.attempt);
  });
}

/** A subscriber that holds what it gets. */
function listener(bus: Bus<SqliteTransaction>, got: string[]): void {
  bus.endpoint("done", { concurrency: 1 }).handle(Done, ({ id }) => void got.push(id));
}

/** Starts a bus, and counts what is put into its outbox from then on. */
async function start(bus: Bus<SqliteTransaction>, file: OneFile): Promise<void> {
  await bus.start();
  await file.watch();
}

async function send(bus: Bus<SqliteTransaction>, t: Trial, ...ids: readonly string[]): Promise<void> {
  await Promise.all(ids.map((id) => bus.send(Work, { id }, { messageId: id })));
  await t.settled();
}

oneFileTrial(
  "a handler's row, its inbox record, the message out and the settlement are one commit",
  async (t, file) => {
    const bus = file.bus();
    const latch = new Latch();
    worker(bus, {}, () => latch.pass());
    bus.endpoint("done").handle(Done, () => {});
    await start(bus, file);
    await bus.pause("done");
    await send(bus, t, "a");
    assertEquals(await seen(file), [1, 0, 0, 0]);
    latch.open();
    await t.settled();
    assertEquals(await seen(file), [0, 1, 1, 1]);
    assertEquals([await file.hops(), bus.statistics("work").consumed], [0, 1]);
  },
);

for (
  const [part, sql] of [
    ["message out", "BEFORE INSERT ON hero_queue_messages WHEN new.via = 'topic:one.done'"],
    ["settlement", "BEFORE DELETE ON hero_queue_messages WHEN old.via = 'topic:one.work'"],
    ["inbox record", "BEFORE INSERT ON hero_inbox"],
    ["row of the handler", "BEFORE INSERT ON own"],
  ]
) {
  oneFileTrial(`where the ${part} cannot be written, nothing is, and all of it once it can`, async (t, file) => {
    const bus = file.bus();
    const got: string[] = [];
    worker(bus);
    listener(bus, got);
    await start(bus, file);
    await file.run(`CREATE TRIGGER no ${sql} BEGIN SELECT RAISE(ABORT, 'no'); END`);
    await send(bus, t, "a");
    assertEquals([(await seen(file)).slice(1), got], [[0, 0, 0], []]);
    await file.run("DROP TRIGGER no");
    await t.pass(30_000);
    assertEquals([await seen(file), got, await file.hops()], [[0, 0, 1, 1], ["a"], 0]);
  });
}

oneFileTrial("a handler that throws leaves nothing; its message comes again and has one effect", async (t, file) => {
  const bus = file.bus();
  const got: string[] = [];
  worker(bus, {}, (_, attempt) => {
    if (attempt === 1) throw new Error("once");
  });
  listener(bus, got);
  await start(bus, file);
  await send(bus, t, "a");
  assertEquals([await file.effects(), got], [[], []]);
  await t.pass(1_000);
  assertEquals([await file.effects(), got, await file.hops()], [["a"], ["a"], 0]);
  await send(bus, t, "a"); // with the same id
  assertEquals([await file.effects(), got, bus.statistics("work").duplicate], [["a"], ["a"], 1]);
});

oneFileTrial("in a group one's failure is its own; the others' parts are one commit", async (t, file) => {
  const bus = file.bus();
  const got: string[] = [];
  worker(bus, { group: 4 }, (id, attempt) => {
    if (id === "b" && attempt === 1) throw new Error("once");
  });
  listener(bus, got);
  await start(bus, file);
  await send(bus, t, "a", "b", "c", "d");
  assertEquals([await file.effects(), got.toSorted()], [["a", "c", "d"], ["a", "c", "d"]]);
  await t.pass(1_000);
  assertEquals([got.toSorted(), await seen(file), await file.hops()], [["a", "b", "c", "d"], [0, 0, 4, 4], 0]);
});

oneFileTrial("a batch is settled by its commit, without those that fail alone", async (t, file) => {
  const bus = file.bus();
  const got: string[] = [];
  bus.endpoint("work", { outbox: true, redeliver: ["1s"] })
    .batch(Work, { size: 3, within: "10ms" }, async (batch, ctx) => {
      for (const item of batch) {
        if (item.message.id === "b" && item.attempt === 1) ctx.fail(item, new Error("once"));
        else {
          await ctx.tx.run("INSERT INTO own VALUES (?)", item.message.id);
          await ctx.publish(Done, item.message);
        }
      }
    });
  listener(bus, got);
  await start(bus, file);
  await send(bus, t, "a", "b", "c");
  assertEquals([await seen(file), got.toSorted()], [[1, 0, 2, 2], ["a", "c"]]);
  await t.pass(2_000);
  assertEquals([got.toSorted(), await seen(file), await file.hops()], [["a", "b", "c"], [0, 0, 3, 3], 0]);
});

/** Lets another process have what is being handled, as when this one stood still. */
function passToAnother(file: OneFile, id: string): Promise<void> {
  return file.run(
    `UPDATE hero_queue_messages SET deliveries = deliveries + 1 WHERE state = 4 AND message_id = '${id}'`,
  );
}

for (const options of [{}, { group: 3 }]) {
  const name = options.group === undefined ? "a handler" : "a handler in a group";
  oneFileTrial(
    `${name} whose message another process has by now commits nothing, and tells nobody`,
    async (t, file) => {
      const bus = file.bus();
      const got: string[] = [];
      const journal = new Journal();
      const runs: string[] = [];
      bus.endpoint("work", { outbox: options, retry: retry.immediate(3) }).handle(Work, async ({ id }, ctx) => {
        runs.push(id);
        await ctx.publish(Done, { id });
        // It stands still before it has the file's only writer.
        if (id === "b" && runs.filter((each) => each === "b").length === 1) await passToAnother(file, "b");
        await ctx.tx.run("INSERT INTO own VALUES (?)", id);
      });
      listener(bus, got);
      bus.observe(journal);
      await start(bus, file);
      await bus.pause("work");
      await send(bus, t, "b");
      await bus.resume("work");
      await t.settled();
      assertEquals([journal.of("unhandled"), journal.of("retried"), journal.of("faulted")], [
        ["unhandled one.work lost"],
        [],
        [],
      ]);
      await t.pass(20_000); // the lease of the other ends, as nobody is there
      assertEquals([await file.effects(), got, runs, await seen(file)], [["b"], ["b"], ["b", "b"], [0, 0, 1, 1]]);
    },
  );
}

oneFileTrial("one that another process has by now takes no other of its group or batch with it", async (t, file) => {
  const bus = file.bus();
  const got: string[] = [];
  const fault = new Journal();
  const firsts = new Set(["b", "y"]);
  const handle = async (id: string, ctx: { readonly tx: SqliteTransaction }): Promise<void> => {
    if (firsts.delete(id)) await passToAnother(file, id);
    await ctx.tx.run("INSERT INTO own VALUES (?)", id);
  };
  bus.endpoint("work", { outbox: { group: 3 }, prefetch: 3 }).handle(Work, async ({ id }, ctx) => {
    await handle(id, ctx);
    await ctx.publish(Done, { id });
  });
  bus.endpoint("batch", { outbox: true, prefetch: 6 }).batch(Ask, { size: 3, within: "10ms" }, async (batch, ctx) => {
    for (const { message: { id } } of batch) if (firsts.delete(id)) await passToAnother(file, id);
    for (const { message: { id } } of batch) {
      await handle(id, ctx);
      await ctx.publish(Done, { id });
    }
  });
  listener(bus, got);
  bus.observe(fault);
  await start(bus, file);
  // The first of a group must not have written when the lease of another passes: the writer is one.
  await send(bus, t, "b", "a", "c");
  await Promise.all(["x", "y", "z"].map((id) => bus.send(Ask, { id }, { messageId: id })));
  await t.pass(5_000);
  assertEquals([got.toSorted(), fault.of("faulted"), fault.of("retried")], [["a", "c", "x", "z"], [], []]);
  await t.pass(30_000);
  assertEquals([got.toSorted(), await file.hops()], [["a", "b", "c", "x", "y", "z"], 0]);
  assertEquals((await file.effects()).toSorted(), ["a", "b", "c", "x", "y", "z"]);
});

oneFileTrial(
  "what another process has handled before the transaction opens is a duplicate, and no failure",
  async (t, file) => {
    const bus = file.bus();
    const got: string[] = [];
    const journal = new Journal();
    const handled = (endpoint: string, id: string): Promise<void> =>
      file.run(
        `INSERT OR IGNORE INTO hero_inbox (bus, endpoint, message_id, keep_until) VALUES ('app', '${endpoint}', '${id}#0', 8e15)`,
      );
    const ids = (endpoint: string): readonly string[] => ["a", "b", "c"].map((id) => `${endpoint} ${id}`);
    for (const [endpoint, contract, outbox] of [["alone", Alone, true], ["group", Grouped, { group: 3 }]] as const) {
      bus.endpoint(endpoint, { outbox }).handle(contract, async ({ id }, ctx) => {
        if (id === `${endpoint} a`) await handled(endpoint, `${endpoint} b`);
        try {
          await ctx.tx.run("INSERT INTO own VALUES (?)", id);
        } catch (cause) {
          throw new Error("It went wrong", { cause }); // as handlers do
        }
        await ctx.publish(Done, { id });
      });
    }
    bus.endpoint("batch", { outbox: true }).batch(Batched, { size: 3, within: "10ms" }, async (batch, ctx) => {
      if (batch.length === 3) await handled("batch", "batch b");
      for (const { message: { id } } of batch) {
        await ctx.tx.run("INSERT INTO own VALUES (?)", id);
        await ctx.publish(Done, { id });
      }
    });
    listener(bus, got);
    bus.observe(journal);
    await start(bus, file);
    for (const [endpoint, contract] of [["alone", Alone], ["group", Grouped], ["batch", Batched]] as const) {
      await Promise.all(ids(endpoint).map((id) => bus.send(contract, { id }, { messageId: id })));
      await t.pass(1_000);
    }
    const expected = ["alone", "group", "batch"].flatMap(ids).filter((id) => !id.endsWith("b")).toSorted();
    assertEquals([got.toSorted(), (await file.effects()).toSorted()], [expected, expected]);
    assertEquals([journal.of("faulted"), journal.of("unhandled").length, await file.hops()], [[], 3, 0]);
  },
);

oneFileTrial("what a handler puts off or forwards is settled so by its commit", async (t, file) => {
  const bus = file.bus();
  const got: string[] = [];
  bus.endpoint("work", { outbox: true }).handle(Work, async ({ id }, ctx) => {
    await ctx.tx.run("INSERT INTO own VALUES (?)", id);
    if (id === "forward") await ctx.forward("queue:other");
    else if (await file.count("hero_inbox") === 0) await ctx.defer("1h");
  });
  bus.endpoint("other", { subscribe: false }).handle(Work, ({ id }) => void got.push(id));
  await start(bus, file);
  await send(bus, t, "defer");
  assertEquals([await file.effects(), await bus.counts("work")], [
    ["defer"],
    { waiting: 0, active: 0, delayed: 1, failed: 0 },
  ]);
  await send(bus, t, "forward");
  assertEquals([got, await file.effects()], [["forward"], ["defer", "forward"]]);
  await t.pass(3_600_000);
  assertEquals([await file.effects(), await file.hops()], [["defer", "forward", "defer"], 0]);
  assertEquals(await file.count("hero_queue_messages"), 0);
});

oneFileTrial("what is due later goes along, and stays behind with a handler that throws", async (t, file) => {
  const bus = file.bus();
  const got: string[] = [];
  bus.endpoint("work", { outbox: true, redeliver: ["1s"] }).handle(Work, async ({ id }, ctx) => {
    await ctx.publish(Done, { id: `${id} ${ctx.attempt}` }, { delay: "1m" });
    if (ctx.attempt === 1) throw new Error("once");
  });
  listener(bus, got);
  await start(bus, file);
  await send(bus, t, "a");
  await t.pass(59_000);
  assertEquals(got, []);
  await t.pass(3_000);
  assertEquals([got, await file.hops()], [["a 2"], 0]);
});

oneFileTrial("an answer is part of the commit; a query is answered without one", async (t, file) => {
  const bus = file.bus();
  bus.endpoint("ask", { outbox: true, retry: retry.immediate(1) }).handle(Ask, async ({ id }, ctx) => {
    await ctx.tx.run("INSERT INTO own VALUES (?)", `${id} ${ctx.attempt}`);
    await ctx.respond({ id: `answer to ${id}, at attempt ${ctx.attempt}` });
    if (ctx.attempt === 1) throw new Error("once");
    return { id: "too late" };
  }).handle(Look, ({ id }) => ({ id }));
  await start(bus, file);
  const asked = bus.request(Ask, { id: "a" }, { timeout: "1h" });
  const looked = bus.request(Look, { id: "b" }, { timeout: "1h" });
  await t.settled();
  assertEquals([await asked, await looked], [{ id: "answer to a, at attempt 2" }, { id: "b" }]);
  assertEquals([await file.effects(), await file.hops()], [["a 2"], 0]);
});

oneFileTrial("what reaches no queue makes the attempt fail, by the contract's name, and undoes it", async (t, file) => {
  const bus = file.bus();
  const journal = new Journal();
  bus.endpoint("work", { outbox: true }).handle(Work, async ({ id }, ctx) => {
    await ctx.tx.run("INSERT INTO own VALUES (?)", id);
    await ctx.send(Missing, { id });
  });
  bus.observe(journal);
  await start(bus, file);
  await send(bus, t, "a");
  assertEquals([await file.effects(), (await bus.counts("work")).failed, await file.hops()], [[], 1, 0]);
  const [error] = await Array.fromAsync(bus.errors("work").list());
  assertEquals(error?.exceptions[0]?.type, UnroutableError.name);
  assertEquals(error?.exceptions[0]?.message.includes(`"one.missing"`), true);
});

oneFileTrial(
  "observers hear of what was sent once it is committed, and of nothing that was rolled back",
  async (t, file) => {
    const bus = file.bus();
    const journal = new Journal();
    const latch = new Latch();
    worker(bus, {}, async (_, attempt) => {
      if (attempt === 1) throw new Error("once");
      await latch.pass();
    });
    bus.endpoint("done").handle(Done, () => {});
    bus.observe(journal);
    await start(bus, file);
    await send(bus, t, "a");
    await t.pass(1_000);
    assertEquals([latch.arrived, journal.of("publish")], [1, []]);
    latch.open();
    await t.settled();
    assertEquals(journal.of("publish"), ["publish one.done"]);
  },
);

oneFileTrial("what is audited is settled when its copy is out, and has one effect", async (t, file) => {
  const bus = file.bus();
  bus.endpoint("work", { outbox: true, audit: "queue:audit" }).handle(Work, async ({ id }, ctx) => {
    await ctx.tx.run("INSERT INTO own VALUES (?)", id);
  });
  bus.endpoint("audit", { subscribe: false }).handle(Done, () => {});
  await start(bus, file);
  await bus.pause("audit");
  await send(bus, t, "a");
  assertEquals([await file.effects(), (await bus.counts("audit")).waiting, (await bus.counts("work")).active], [
    ["a"],
    1,
    0,
  ]);
});

oneFileTrial("a transaction outside of handlers writes its messages into the queues itself", async (t, file) => {
  const bus = file.bus();
  const got: string[] = [];
  listener(bus, got);
  await start(bus, file);
  const failed = bus.transaction(async (tx, sender) => {
    await tx.run("INSERT INTO own VALUES ('a')");
    await sender.publish(Done, { id: "a" });
    throw new Error("no");
  });
  await assertRejects(() => failed, Error, "no");
  await t.settled();
  assertEquals([await file.effects(), got], [[], []]);
  await bus.transaction(async (tx, sender) => {
    await tx.run("INSERT INTO own VALUES ('b')");
    await sender.publish(Done, { id: "b" });
  });
  await t.settled();
  assertEquals([await file.effects(), got, await file.hops()], [["b"], ["b"], 0]);
  await assertRejects(
    () =>
      bus.transaction(async (tx, sender) => {
        await tx.run("INSERT INTO own VALUES ('c')");
        await sender.send(Missing, { id: "c" });
      }),
    UnroutableError,
    `"one.missing"`,
  );
  assertEquals(await file.effects(), ["b"]);
});

for (const apart of [false, true]) {
  const name = apart ? "of its own connection" : "given the store";
  oneFileTrial(
    `what is sent for the first time does not wait for the transaction it is sent in: a transport ${name}`,
    async (t, file) => {
      const bus = apart ? file.apart() : file.bus();
      const other = file.bus({ name: "other" });
      const got: string[] = [];
      other.endpoint("other").handle(Base, ({ id }) => void got.push(id));
      bus.endpoint("work", { outbox: true }).handle(Work, async ({ id }, ctx) => {
        await ctx.tx.run("INSERT INTO own VALUES (?)", id);
        await ctx.publish(Derived, { id });
      });
      await other.start();
      await bus.start();
      await send(bus, t, "a");
      assertEquals(await file.effects(), ["a"]);
      await t.pass(1_000);
      assertEquals([got, await file.count("hero_queue_topics WHERE name = 'one.derived'")], [["a"], 1]);
    },
  );
}

oneFileTrial(
  "a transport on the same file that was not given the store shares no commit: its messages take the hop",
  async (t, file) => {
    const bus = file.apart();
    const got: string[] = [];
    worker(bus);
    listener(bus, got);
    await start(bus, file);
    await send(bus, t, "a");
    await t.pass(1_000);
    assertEquals([await file.effects(), got, await file.hops()], [["a"], ["a"], 1]);
  },
);
