/** A SQLite store on a disk that becomes full while its rows are claimed, told of and brought into the file. */
import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import { mkdtempSync, rmdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { command, createBus, StoreFullError } from "../../mod.ts";
import type { OutboxRow } from "../../src/spi/rows.ts";
import type { Store } from "../../src/spi/store.ts";
import { sqlite } from "../../stores/sqlite/mod.ts";
import { changes, ids } from "../conformance/store/trial.ts";
import { eventually, realTime } from "../conformance/test_clock.ts";
import { openNative } from "../stores/sqlite/native.ts";
import { test } from "../support/runner.ts";
import { fillUp, mount, noDisk, unmount } from "./small_disk.ts";

const bus = "orders";
const clock = realTime();
const { signal: never } = new AbortController();
const skip = noDisk();
const leaseMs = 600_000;

/** Works on a disk of its own. */
async function withDisk(
  megabytes: number,
  work: (path: string, disk: { fill(): void; free(): void }) => Promise<void>,
): Promise<void> {
  const disk = mkdtempSync(join(tmpdir(), "hero-disk-"));
  assert(mount(disk, megabytes));
  const filler = join(disk, "filler");
  try {
    await work(join(disk, "orders.db"), { fill: () => fillUp(filler), free: () => rmSync(filler) });
  } finally {
    unmount(disk);
    rmdirSync(disk);
  }
}

/** Works with a store that is open, on a disk of its own. */
function withStore(
  megabytes: number,
  work: (store: Store<unknown>, disk: { readonly path: string; fill(): void; free(): void }) => Promise<void>,
): Promise<void> {
  return withDisk(megabytes, async (path, { fill, free }) => {
    const store = sqlite({ path, synchronous: "normal" });
    try {
      await store.open({ bus, clock, signal: never, status: () => {} });
      await store.deploy("apply");
      await work(store, { path, fill, free });
    } finally {
      await store.close();
    }
    await openNative(path, (database) => {
      assertEquals(database.prepare("PRAGMA integrity_check").get()?.["integrity_check"], "ok");
    });
  });
}

const Kept = command<{ readonly id: string; readonly more: string }>("disk.kept");

/** Of more than so many bytes. */
function row(id: string, bytes: number, dueAt = 0): OutboxRow {
  const headers = { "hero-id": id, "hero-type": Kept.name };
  const body = new TextEncoder().encode(JSON.stringify({ id, more: ".".repeat(bytes) }));
  const frame = { contentType: "application/json", headers, body };
  return { id, group: id, key: undefined, to: "queue:in", frame, dueAt, expiresAt: undefined };
}

async function write(store: Store<unknown>, rows: readonly OutboxRow[]): Promise<void> {
  const unit = await store.begin({ bus, partition: "", inbox: [], signal: never, leaseMs: 0 });
  await unit.commit(changes({ outbox: rows }));
}

function names(from: number, to: number): readonly string[] {
  return Array.from({ length: to - from }, (_, at) => `m${String(from + at).padStart(4, "0")}`);
}

test(
  "a claim, and what is told of rows, fail on a full disk, change nothing, and go on when there is room",
  () =>
    withStore(8, async (store, disk) => {
      const all = names(0, 60);
      for (const id of all) await write(store, [row(id, 20_000)]);
      const sent = await store.outbox.claim(bus, 20, leaseMs);
      const failed = await store.outbox.claim(bus, 20, leaseMs);
      assertEquals(ids([...sent, ...failed]), all.slice(0, 40));
      disk.fill();
      await assertRejects(() => store.outbox.claim(bus, 20, leaseMs), StoreFullError);
      await assertRejects(() => store.outbox.done(sent), StoreFullError);
      const later = failed.map((leased) => ({ leased, dueAt: clock.now(), error: "full", park: false }));
      await assertRejects(() => store.outbox.later(later), StoreFullError);
      assertEquals((await store.outbox.stats(bus)).waiting, 60);
      disk.free();
      await store.outbox.done(sent);
      await store.outbox.later(later);
      const rest = await store.outbox.claim(bus, 60, leaseMs);
      assertEquals(ids(rest), all.slice(20));
      await store.outbox.done(rest);
      assertEquals((await store.outbox.stats(bus)).waiting, 0);
    }),
  { skip },
);

test(
  "a log that finds no room in the file is kept, and is brought in when there is room",
  () =>
    withStore(128, async (store, { path, fill, free }) => {
      const committed: string[] = [];
      const failures: unknown[] = [];
      let number = 0;
      const commit = async (): Promise<void> => {
        const [id = ""] = names(number, ++number);
        try {
          await write(store, [row(id, 100_000)]);
          committed.push(id);
        } catch (error) {
          failures.push(error);
        }
      };
      // By then the log is short of what is brought in; the file will need as much again.
      for (let at = 0; at < 250; at++) await commit();
      assertEquals(failures, []);
      fill();
      const log = (): Promise<number> =>
        openNative(path, (database) => Number(database.prepare("PRAGMA wal_checkpoint(PASSIVE)").get()?.["log"]));
      await assertRejects(log, Error); // there is no room in the file
      for (let at = 0; at < 100; at++) await commit();
      assert(failures.length > 0, "There was room for all");
      for (const error of failures) assertInstanceOf(error, StoreFullError);
      assertEquals((await store.outbox.stats(bus)).waiting, committed.length);
      free();
      const before = failures.length;
      for (let at = 0; at < 150; at++) await commit();
      assertEquals(failures.length, before);
      await eventually(clock, "a file that has what the log had", () => statSync(path).size > 25_000_000);
      const left: string[] = [];
      for (;;) {
        const rows = await store.outbox.claim(bus, 100, leaseMs);
        if (rows.length === 0) break;
        left.push(...ids(rows));
        await store.outbox.done(rows);
      }
      assertEquals(left, committed);
    }),
  { skip },
);

test(
  "a bus whose disk is full is degraded, sends nothing twice, and goes on by itself when there is room",
  () =>
    withDisk(8, async (path, { fill, free }) => {
      const store = sqlite({ path, synchronous: "normal" });
      const orders = createBus({ name: bus, store });
      const handled: string[] = [];
      orders.endpoint("in").handle(Kept, ({ id }) => void handled.push(id));
      await orders.start();
      try {
        const all = names(0, 60);
        const dueAt = clock.now() + 1_000;
        for (const id of all) await write(store, [row(id, 20_000, dueAt)]);
        fill();
        const part = async () => (await orders.health()).parts.find(({ name }) => name === "outbox");
        await eventually(clock, "health to tell", async () => (await part())?.status === "degraded", 30_000);
        const { reason = "" } = await part() ?? {};
        assertStringIncludes(reason, "no room left");
        assertEquals(handled, []);
        free();
        await eventually(clock, "all that was kept", () => handled.length >= all.length, 30_000);
        await eventually(clock, "health to be well", async () => (await part())?.status === "healthy", 30_000);
        await eventually(clock, "no row", async () => (await store.outbox.stats(bus)).waiting === 0, 30_000);
        assertEquals(handled.toSorted(), all);
      } finally {
        await orders.stop();
      }
    }),
  { skip },
);
