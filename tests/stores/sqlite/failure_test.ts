import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigurationError, InvalidNameError } from "../../../src/errors/configuration.ts";
import {
  StoreCorruptError,
  StoreFullError,
  StoreLockedError,
  StoreReadOnlyError,
  StoreUnavailableError,
} from "../../../src/errors/store.ts";
import { TopologyError } from "../../../src/errors/transport.ts";
import type { OutboxRow } from "../../../src/spi/rows.ts";
import { sqlite } from "../../../stores/sqlite/mod.ts";
import { changes, frame } from "../../conformance/store/trial.ts";
import { realTime, virtualTime } from "../../conformance/test_clock.ts";
import { test } from "../../support/runner.ts";
import { openNative } from "./native.ts";
import { bus, openStore, withStore } from "./fixture.ts";

function row(id: string, bytes = 1): OutboxRow {
  const { contentType, headers } = frame("");
  const body = new Uint8Array(bytes);
  return {
    id,
    group: id,
    key: undefined,
    to: "queue:a",
    frame: { contentType, headers, body },
    dueAt: 0,
    expiresAt: undefined,
  };
}

test("a full disk is an error of its own, loses nothing, and is over when there is room", () =>
  withStore({}, async ({ begin, commit, store }) => {
    await commit({ outbox: [row("kept")] });
    const limit = async (pages: number): Promise<void> => {
      const unit = await begin();
      await unit.tx.get(`PRAGMA max_page_count = ${pages}`);
      await unit.rollback();
    };
    await limit(1); // it cannot be less than there are
    const outcomes = await Promise.allSettled([
      commit({ outbox: [row("large", 1_000_000)] }),
      commit({ outbox: [row("small")] }),
    ]);
    assert(outcomes[0].status === "rejected" && outcomes[0].reason instanceof StoreFullError);
    assertEquals(outcomes[1].status, "fulfilled", "Work that shared the commit failed with it");
    assertEquals((await store.outbox.stats(bus)).waiting, 2);
    const unit = await begin();
    await assertRejects(async () => {
      await unit.tx.run("CREATE TABLE own AS SELECT zeroblob(1000000) AS data");
      await unit.commit(changes({}));
    }, StoreFullError);
    await unit.rollback();
    await limit(1_000_000);
    await commit({ outbox: [row("large", 1_000_000)] });
    assertEquals((await store.outbox.stats(bus)).waiting, 3);
  }));

test("a read-only file is an error of its own", () =>
  withStore({}, async ({ begin, commit, store }) => {
    const unit = await begin();
    await unit.tx.run("PRAGMA query_only = 1");
    await unit.rollback();
    await assertRejects(() => commit({ outbox: [row("a")] }), StoreReadOnlyError);
    await assertRejects(() => store.lease("name", "owner", 1), StoreReadOnlyError);
    assertEquals((await store.outbox.stats(bus)).waiting, 0);
  }));

test("a file that is no database, or in no folder, is an error of its own, and the store can be opened later", async () => {
  const folder = await mkdtemp(join(tmpdir(), "hero-sqlite-"));
  try {
    const path = join(folder, "store.db");
    await writeFile(path, "This is no database. ".repeat(100));
    const store = sqlite(path);
    await assertRejects(() => openStore(store, virtualTime()), StoreCorruptError, path);
    await rm(path);
    await openStore(store, virtualTime());
    await store.close();
    const missing = sqlite(join(folder, "missing", "store.db"));
    const said = `not its folder "${
      join(folder, "missing")
    }": that must be there, and this process must have the right`;
    await assertRejects(() => openStore(missing, virtualTime()), StoreUnavailableError, said);
    await missing.close();
    const taken = sqlite(folder);
    await assertRejects(
      () => openStore(taken, virtualTime()),
      StoreUnavailableError,
      "What is at the path must be no folder",
    );
    await taken.close();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test("a database in memory is refused, by whatever URI", async () => {
  for (const path of ["file::memory:", "file:orders?mode=memory", "file::memory:?cache=shared"]) {
    const store = sqlite(path);
    await assertRejects(() => openStore(store, virtualTime()), ConfigurationError, "memoryStore()");
    await store.close();
  }
});

test("another process' lock is waited for while this one works on, and is an error in the end", () =>
  withStore({ lockTimeout: "5s" }, async ({ path, clock, begin, commit, store }) => {
    await openNative(path, async (database) => {
      database.exec("BEGIN IMMEDIATE");
      const waiting = commit({ outbox: [row("a")] });
      const writing = (await begin()).tx.run("CREATE TABLE own (text)");
      writing.catch(() => {});
      await clock.pass(4_000);
      assertEquals((await store.outbox.stats(bus)).waiting, 0, "Reading waits for a lock");
      waiting.catch(() => {});
      await clock.pass(10_000); // one after the other
      await assertRejects(() => waiting, StoreLockedError, path);
      await assertRejects(() => writing, StoreLockedError);
      const next = commit({ outbox: [row("b")] });
      await clock.pass(100);
      database.exec("ROLLBACK");
      await clock.pass(100);
      assertEquals((await next).map(({ row }) => row.id), ["b"]);
    });
    assertEquals((await store.outbox.stats(bus)).waiting, 1);
  }));

test("another process' lock does not keep the event loop from turning", () => {
  const real = realTime();
  const turned = Promise.withResolvers<void>();
  let waits = 0;
  // Each but the first follows on a timer that has gone off, which takes a turn of the event loop.
  const at: typeof real.at = (time, run) => {
    if (++waits === 6) turned.resolve();
    return real.at(time, run);
  };
  return withStore({ clock: { ...real, at } }, async ({ path, commit }) => {
    await openNative(path, async (database) => {
      database.exec("BEGIN IMMEDIATE");
      let done = false;
      const waiting = commit({ outbox: [row("a")] }).then(() => done = true);
      await turned.promise;
      assert(!done);
      database.exec("ROLLBACK");
      await waiting;
    });
  });
});

test("a wait for another process' lock ends with the unit's signal", () =>
  withStore({}, async ({ path, clock, begin, commit }) => {
    await openNative(path, async (database) => {
      database.exec("BEGIN IMMEDIATE");
      const abort = new AbortController();
      const unit = await begin({ signal: abort.signal });
      const writing = unit.tx.run("CREATE TABLE own (text)");
      await clock.pass(100);
      const reason = new Error("given up");
      abort.abort(reason);
      await assertRejects(() => writing);
      database.exec("ROLLBACK");
    });
    await commit({ outbox: [row("a")] });
  }));

test("tables that are missing are a topology that was not deployed", () =>
  withStore({ deploy: false }, async ({ commit, store, begin }) => {
    const plan = await store.deploy("check");
    assertEquals(plan.map(({ kind, entity }) => [kind, entity]), [
      ["create", "migration:0001_tables"],
      ["create", "migration:0002_saga_history"],
      ["create", "migration:0003_cancelled"],
      ["create", "migration:0004_put_off"],
    ]);
    await assertRejects(() => commit({ outbox: [row("a")] }), TopologyError, "deploy");
    await assertRejects(() => store.outbox.claim(bus, 1, 1), TopologyError);
    await assertRejects(
      () => begin({ inbox: [{ endpoint: "e", messageId: "m", keepUntil: 0 }] }),
      TopologyError,
    );
    assertEquals(await store.deploy("apply"), plan);
    await commit({ outbox: [row("a")] });
  }));

test("the scripts applied by hand are what deploy would have done", () =>
  withStore({ deploy: false, prefix: "my_" }, async ({ commit, store, path }) => {
    for (const { script } of store.migrations()) await openNative(path, (database) => database.exec(script));
    assertEquals(await store.deploy("check"), []);
    await commit({ outbox: [row("a")] });
    await openNative(path, (database) => database.exec("INSERT INTO my_migrations (id) VALUES ('9999_later')"));
    assertEquals((await store.deploy("apply")).map(({ kind, entity }) => [kind, entity]), [[
      "extra",
      "migration:9999_later",
    ]]);
  }));

test("stores of different prefixes share a file and nothing else", () =>
  withStore({}, async ({ path, clock, commit, store }) => {
    const other = await openStore(sqlite({ path, prefix: "other_", synchronous: "normal" }), clock);
    await other.deploy("apply");
    await commit({ outbox: [row("a")] }, { leaseMs: 0 });
    assertEquals(await other.outbox.claim(bus, 10, 1_000), []);
    await other.close();
    assertEquals((await store.outbox.claim(bus, 10, 1_000)).length, 1);
  }));

test("options that are none are refused where they are written", () => {
  for (const prefix of ["", "1a", "a b", `a"; DROP TABLE x; --`, "sqlite_x", "ü", "x".repeat(41)]) {
    assertThrows(() => sqlite({ path: "a.db", prefix }), InvalidNameError);
  }
  for (const path of ["", ":memory:"]) assertThrows(() => sqlite(path), ConfigurationError, "memoryStore");
  const two = () => Reflect.apply(sqlite, undefined, ["app.db", { lockTimeout: "5s" }]);
  assertThrows(two, ConfigurationError, `sqlite({ path: "app.db", … })`);
  const other = "postgres://ada:secret@localhost/orders";
  const { message } = assertThrows(() => sqlite(other), ConfigurationError, "begins with postgres://");
  assert(!message.includes("secret"));
  sqlite("file:///orders.db?cache=private");
  const unset = undefined as unknown as string; // as a variable of the environment may be
  assertThrows(() => sqlite(unset), ConfigurationError, "at undefined: it needs the path of a file");
  assertThrows(() => sqlite({ path: unset }), ConfigurationError, "it needs the path of a file");
  const url = new URL("file:///orders.db") as unknown as { readonly path: string };
  assertThrows(() => sqlite(url), ConfigurationError, 'at "file:///orders.db": it needs the path of a file, as text');
  assertThrows(() => sqlite({ path: "a.db", lockTimeout: -1 }), ConfigurationError);
  assertThrows(() => sqlite({ path: "a.db", synchronous: "off" as "full" }), ConfigurationError, "normal");
});
