/** What is written into an application's own transaction is part of it, or is not written. */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import client, { type TransactionSql } from "postgres";
import { type Bus, ConfigurationError, createBus, event, TopologyError, TransactionEndedError } from "../../../mod.ts";
import { postgres } from "../../../stores/postgres/mod.ts";
import { onPostgres } from "./opened.ts";

const Done = event<{ text: string }>("joining.done");

async function started(url: string, schema: string, done: string[]): Promise<Bus<TransactionSql>> {
  const bus = createBus({ name: "joining", store: postgres({ url, schema }) });
  bus.endpoint("done").handle(Done, ({ text }) => void done.push(text));
  await bus.start();
  return bus;
}

onPostgres("what is published in a transaction that has ended is refused, not written by itself", async (opened) => {
  const { url, schema, sql } = opened.bench;
  const done: string[] = [];
  const bus = await started(url, schema, done);
  let over: TransactionSql | undefined;
  await sql.begin(async (tx) => {
    over = tx;
    await tx`SELECT 1`;
  });
  const tx = over;
  if (tx === undefined) throw new Error("There was no transaction");
  await assertRejects(() => bus.publish(Done, { text: "late" }, { tx }), TransactionEndedError);
  await assertRejects(() => bus.schedule(Done, { text: "late" }, { in: 0 }, { tx }), TransactionEndedError);

  const rolledBack: Promise<void>[] = [];
  await assertRejects(() =>
    sql.begin(async (tx) => {
      await tx`SELECT 1`;
      rolledBack.push(bus.publish(Done, { text: "not awaited, rolled back" }, { tx }));
      throw new Error("No");
    })
  );
  await Promise.allSettled(rolledBack);
  await sql.begin(async (tx) => {
    await bus.publish(Done, { text: `it's \\ $1 "$hero$" ünï` }, { tx });
    await bus.publish(Done, { text: "x".repeat(100_000) }, { tx });
  });
  await opened.until("both have come", () => done.length >= 2);
  await bus.stop();
  assertEquals(done.toSorted(), [`it's \\ $1 "$hero$" ünï`, "x".repeat(100_000)].toSorted());
});

onPostgres("a transaction of another database is told that it may be one, and where the store is", async (opened) => {
  const { url, schema, sql } = opened.bench;
  const bus = await started(url, schema, []);
  const elsewhere = `other_${schema}`;
  await sql.unsafe(`CREATE DATABASE "${elsewhere}"`);
  const other = client(url, { max: 1, database: elsewhere });
  try {
    const error = await assertRejects(
      () => other.begin(async (tx) => void await bus.publish(Done, { text: "elsewhere" }, { tx })),
      TopologyError,
      "the tables are missing in the database of this { tx }",
    );
    assertStringIncludes(error.message, `The store is in "127.0.0.1:`);
  } finally {
    await other.end();
    await sql.unsafe(`DROP DATABASE "${elsewhere}"`);
    await bus.stop();
  }
});

onPostgres(
  "a client in a transaction's place is refused: what it writes stays where one is rolled back",
  async (opened) => {
    const { url, schema, sql } = opened.bench;
    const done: string[] = [];
    const bus = await started(url, schema, done);
    const refused = async (tx: unknown, says: string) =>
      void await assertRejects(() => bus.publish(Done, { text: "no" }, { tx: tx as never }), ConfigurationError, says);
    await refused(sql, "it is the client itself");
    for (const tx of [{}, null, "tx", { query() {} }]) await refused(tx, "it is none of postgres.js");
    await bus.transaction(async (tx) => await bus.publish(Done, { text: "by a handler's" }, { tx }));
    await opened.until("it has come", () => done.length === 1);
    await bus.stop();
    assertEquals(done, ["by a handler's"]);
  },
);

const Moved = event<{ text: string }>("joining.moved", { key: () => "one" });

onPostgres(
  "what is joined keeps its key, its time to live and its delay, and is scheduled and taken back",
  async (opened) => {
    const { url, schema, sql } = opened.bench;
    const come: string[] = [];
    const bus = createBus({ name: "joining", store: postgres({ url, schema }) });
    bus.endpoint("all")
      .handle(Done, ({ text }, { expiresAt }) => void come.push(expiresAt === undefined ? text : `${text}, expires`))
      .handle(Moved, ({ text }) => void come.push(text));
    await bus.start();
    await sql.begin(async (tx) => {
      for (const text of ["moved 1", "moved 2", "moved 3"]) await bus.publish(Moved, { text }, { tx });
      await bus.publish(Done, { text: "brief" }, { tx, ttl: "1h" });
      await bus.publish(Done, { text: "delayed" }, { tx, delay: 1 });
      await bus.schedule(Done, { text: "scheduled" }, { in: 1 }, { tx });
      const token = await bus.schedule(Done, { text: "taken back" }, { in: "1h" }, { tx });
      await bus.unschedule(token, { tx });
    });
    await opened.until("all have come", () => come.length >= 6);
    await bus.stop();
    assertEquals(come.filter((text) => text.startsWith("moved")), ["moved 1", "moved 2", "moved 3"]);
    assertEquals(come.toSorted(), ["brief, expires", "delayed", "moved 1", "moved 2", "moved 3", "scheduled"]);
  },
);

onPostgres(
  "what is published in a transaction of another database is refused, though that has such tables",
  async (opened) => {
    const { url, schema, sql } = opened.bench;
    const name = `${schema}_other`;
    await sql.unsafe(`CREATE DATABASE ${name}`);
    const there = client(url.replace(/[^/]*$/, name), { max: 1, onnotice: () => {} });
    try {
      const done: string[] = [];
      const bus = await started(url, schema, done);
      const other = createBus({ name: "other", store: postgres({ url: url.replace(/[^/]*$/, name), schema }) });
      await other.start();
      await assertRejects(
        () => there.begin((tx) => bus.publish(Done, { text: "its tables" }, { tx })),
        ConfigurationError,
        "Begin it on a client of that database",
      );
      await assertRejects(
        () => there.begin((tx) => bus.schedule(Done, { text: "its tables" }, { in: "1h" }, { tx })),
        ConfigurationError,
      );
      await sql.begin((tx) => bus.publish(Done, { text: "here" }, { tx }));
      await opened.until("what was published here has come", () => done.length > 0);
      assertEquals([...await there.unsafe(`SELECT id FROM "${schema}".hero_outbox`)], []);
      assertEquals(done, ["here"]);
      await Promise.all([bus.stop(), other.stop()]);
    } finally {
      await there.end();
      await sql.unsafe(`DROP DATABASE ${name} WITH (FORCE)`);
    }
  },
);
