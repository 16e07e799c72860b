/** Queues and store in one file: what is received, written, sent and settled becomes true in one commit. */
import { assertEquals } from "@std/assert";
import { relative } from "node:path";
import { cwd } from "node:process";
import { sqlite } from "../../stores/sqlite/mod.ts";
import { oneFileTrial } from "../support/one_file_trial.ts";
import { Journal, Latch } from "../support/trial.ts";
import { Base, Derived, Done, listener, seen, send, start, Work, worker } from "./one_transaction.ts";

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
  const [what, other] of [
    ["its own name", (path: string) => path],
    ["a relative one", (path: string) => relative(cwd(), path)],
  ] as const
) {
  oneFileTrial(
    `a second value of the store, that names the file by ${what}, is as good as the same`,
    async (t, file) => {
      const bus = file.bus({ store: sqlite({ path: other(file.path), synchronous: "normal" }) });
      const got: string[] = [];
      worker(bus);
      listener(bus, got);
      await start(bus, file);
      await send(bus, t, "a");
      assertEquals([await file.effects(), got, await file.hops()], [["a"], ["a"], 0]);
    },
  );
}

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
