/** A database may have settings of its own, which every connection begins with. */
import client from "postgres";
import { assertEquals } from "@std/assert";
import { test } from "../../support/runner.ts";
import { Opened } from "./opened.ts";
import { PostgresBench, skip, url } from "./server.ts";

const encoder = new TextEncoder();

/** Registers a test with a database of its own. */
function withSettings(settings: readonly string[], name: string, run: (opened: Opened) => Promise<void>): void {
  test(`PostgreSQL: ${settings.join(", ")}: ${name}`, async () => {
    const admin = client(url, { max: 1, onnotice: () => {} });
    const database = `hero_${crypto.randomUUID().replaceAll("-", "_")}`;
    await admin.unsafe(`CREATE DATABASE ${database}`);
    try {
      for (const each of settings) await admin.unsafe(`ALTER DATABASE ${database} SET ${each}`);
      const opened = new Opened(new PostgresBench(url.replace(/[^/]*$/, database)));
      try {
        await run(opened);
      } finally {
        await opened[Symbol.asyncDispose]();
      }
    } finally {
      await admin.unsafe(`DROP DATABASE ${database} WITH (FORCE)`);
      await admin.end();
    }
  }, { skip, timeoutInMs: 60_000 });
}

const texts = ["it's \\ 'quoted' \\' \\\\", "E'\\x41'", "🦊 é \u{10FFFF}", "a\0b", "$1 ? %s", "\r\n\t\u2028"];
withSettings(
  ["bytea_output = escape", "standard_conforming_strings = off", "DateStyle = 'SQL, DMY'", "search_path = nowhere"],
  "bytes and texts are read as they were written, in parts of a message to the server as well",
  async (opened) => {
    const store = await opened.store();
    const all = Uint8Array.from({ length: 1024 }, (_, at) => at);
    for (const [at, text] of texts.entries()) {
      const headers = { text, bytes: all };
      const row = opened.row({
        id: text,
        group: text,
        frame: { contentType: text, headers, body: encoder.encode(`\\x41\\\\${text}`) },
      });
      const data = at === 0 ? new Uint8Array() : all;
      const saga = { saga: "s", incarnation: "i", version: 1, schema: 1, state: text, types: text, index: { a: text } };
      const unit = await store.begin(opened.scope({ inbox: [opened.key(text)], leaseMs: 0 }));
      await unit.tx`SELECT 1`; // so that the last is written with the end
      await unit.commit(opened.changes({ outbox: [row] }));
      const other = await store.begin(opened.scope({ inbox: [opened.key(`${text} too`)] }));
      await other.tx`SELECT 1`;
      await other.commit(opened.changes({ sagas: [{ before: undefined, after: { ...saga, id: text, data } }] }));
      const [leased] = await store.outbox.claim(opened.bus, 10, 60_000);
      assertEquals([leased?.row.id, leased?.row.frame.contentType], [text, text]);
      assertEquals(leased?.row.frame.headers, headers);
      assertEquals(leased?.row.frame.body, row.frame.body);
      const reader = await store.begin(opened.scope({ inbox: [opened.key(text)] }));
      assertEquals(reader.duplicates, [true]);
      assertEquals(await reader.load("s", text, false), { ...saga, id: text, data });
      const [own] = await reader.tx<{ bytes: Uint8Array }[]>`SELECT ${all}::bytea AS bytes`;
      assertEquals([...own!.bytes], [...all]);
      await reader.rollback();
    }
  },
);

withSettings(["array_nulls = off"], "what is not there is written as such", async (opened) => {
  const store = await opened.store();
  const saga = (id: string, types: string | undefined) => opened.saga({ id, types });
  // Ready in one turn, so that they share a commit: new, as they were, and gone, and messages with and without a limit.
  for (const version of [1, 2, 3]) {
    const units = await Promise.all(["a", "b", "c"].map(async (id) => {
      const unit = await store.begin(opened.scope({ inbox: [opened.key(`${id} ${version}`)], leaseMs: 0 }));
      return [id, unit, await unit.load("order", id, false)] as const;
    }));
    await Promise.all(units.map(([id, unit, before]) => {
      const after = version === 3 ? undefined : { ...saga(id, id === "a" ? undefined : `types ${id}`), version };
      const expiresAt = id === "b" ? undefined : opened.clock.now() + 3_600_000;
      const rows = [1, 2].map((at) => opened.row({ id: `${id} ${version} ${at}`, expiresAt }));
      return unit.commit(opened.changes({ sagas: [{ before, after }], outbox: rows }));
    }));
    const reader = await store.begin(opened.scope());
    const found = await Promise.all(["a", "b"].map((id) => reader.load("order", id, false)));
    const expected = version === 3 ? [undefined, undefined] : [["data of a", undefined], ["data of b", "types b"]];
    assertEquals(found.map((row) => row && [new TextDecoder().decode(row.data), row.types]), expected);
    await reader.rollback();
  }
  const leased = await store.outbox.claim(opened.bus, 100, 60_000);
  const endless = leased.filter(({ row }) => row.expiresAt === undefined).map(({ row }) => row.id);
  assertEquals([leased.length, endless.every((id) => id.startsWith("b")), endless.length], [18, true, 6]);
});

for (const isolation of ["repeatable read", "serializable"]) {
  const settings = [`default_transaction_isolation = '${isolation}'`];

  withSettings(settings, "a row that came while the one before it was taken away waits no longer", async (opened) => {
    const { bench: { sql, schema } } = opened;
    const store = await opened.store();
    const unit = await store.begin(opened.scope({ leaseMs: 60_000 }));
    const leased = await unit.commit(opened.changes({ outbox: [opened.row({ id: "1", key: "k" })] }));
    let done: Promise<void> | undefined;
    await sql.begin(async (tx) => {
      // As the statement that writes a row does.
      await tx.unsafe(`SELECT FROM "${schema}".hero_outbox FOR SHARE`);
      done = store.outbox.done(leased);
      await opened.until("the other to wait", async () => {
        const waiting =
          await sql`SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
        return waiting.length > 0;
      });
      await tx.unsafe(
        `INSERT INTO "${schema}".hero_outbox (bus, id, unit, "key", destination, content_type, headers, body, ` +
          `written_due_at, due_at, free_at, waits, fence) SELECT bus, '2', unit, "key", destination, content_type, ` +
          `headers, body, 0, due_at + 1, due_at + 1, true, 0 FROM "${schema}".hero_outbox`,
      );
    });
    await done;
    const next = await store.outbox.claim(opened.bus, 10, 60_000);
    assertEquals(next.map(({ row }) => row.id), ["2"]);
  });

  withSettings(settings, "those who claim and lease at once do not fail for each other", async (opened) => {
    const stores = [await opened.store(), await opened.store()];
    const [first] = stores;
    const unit = await first!.begin(opened.scope({ leaseMs: 0 }));
    const outbox = Array.from({ length: 200 }, (_, at) => opened.row({ key: at % 3 === 0 ? `${at % 7}` : undefined }));
    await unit.commit(opened.changes({ outbox }));
    const found: string[] = [];
    for (let rounds = 0; found.length < 200 && rounds < 200; rounds++) {
      await Promise.all([0, 1, 2, 3].map(async (at) => {
        const leased = await stores[at % 2]!.outbox.claim(opened.bus, 20, 60_000);
        found.push(...leased.map(({ row }) => row.id));
        await stores[at % 2]!.outbox.done(leased);
      }));
    }
    assertEquals(found.toSorted(), outbox.map(({ id }) => id).toSorted());
    const owners = await Promise.all(
      Array.from({ length: 10 }, (_, at) => stores[at % 2]!.lease("l", `${at}`, 60_000)),
    );
    assertEquals(owners.filter((each) => each !== undefined).length, 1);
  });
}
