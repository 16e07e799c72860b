import { assert, assertEquals } from "@std/assert";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Checkpoints, type FileSystem, type Log, type LoggedFile } from "../../../stores/sqlite/checkpoints.ts";
import { test } from "../../support/runner.ts";
import { openNative } from "./native.ts";

/** An older one does a checkpoint where it is asked for the length of its log. */
const skip = knowsLog() ? undefined : "SQLite is older than 3.51";

function knowsLog(): boolean {
  const database = new DatabaseSync(":memory:");
  const { version } = database.prepare("SELECT sqlite_version() AS version").get() as { readonly version: string };
  database.close();
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > 3 || (major === 3 && minor >= 51);
}

/** A file with a log that only {@linkcode Checkpoints} bring in, or nobody. */
async function withFile(
  work: (database: DatabaseSync, file: LoggedFile) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "hero-checkpoints-"));
  const path = join(folder, "file.db");
  try {
    await openNative(path, async (database) => {
      database.exec("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (x)");
      const of = (mode: string): Log => database.prepare(`PRAGMA wal_checkpoint(${mode})`).get() as unknown as Log;
      await work(database, {
        path,
        measure: () => of("NOOP"),
        checkpoint: () => {
          of("PASSIVE");
          return Promise.resolve(0);
        },
      });
    });
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Writes a row, says so, and lets what that began go on. */
async function commit(database: DatabaseSync, checkpoints: Checkpoints): Promise<void> {
  database.exec("INSERT INTO t VALUES (1)");
  checkpoints.committed();
  await new Promise((resolve) => setTimeout(resolve, 0));
}

test("the log is brought in while commits go on, and begins anew", () =>
  withFile(async (database, file) => {
    const checkpoints = new Checkpoints(file, 100);
    let most = 0;
    let begunAnew = 0;
    for (let before = 0; begunAnew < 3;) {
      await commit(database, checkpoints);
      const { log } = file.measure();
      most = Math.max(most, log);
      if (log < before) begunAnew++;
      before = log;
      assert(most < 100_000, "The log is not brought in");
    }
    await checkpoints.close();
  }), { skip });

/** How many pages there are at each of the first checkpoints, where a commit has so many, and one takes so long. */
async function pagesBroughtIn(
  { pagesPerCommit, tookMs, times }: { pagesPerCommit: number; tookMs: (pages: number) => number; times: number },
): Promise<readonly number[]> {
  const found: number[] = [];
  await withFile(async (database, file) => {
    let log = 0;
    const checkpoints = new Checkpoints({
      path: file.path,
      measure: () => ({ log, checkpointed: 0 }),
      checkpoint: () => {
        const pages = log;
        found.push(pages);
        log = 0;
        return Promise.resolve(tookMs(pages));
      },
    }, 8_000);
    while (found.length < times) {
      if (!checkpoints.underWay) log += pagesPerCommit;
      await commit(database, checkpoints);
    }
    await checkpoints.close();
  });
  return found;
}

test("the log is brought in when it is long enough, however much each commit adds", async () => {
  for (const pagesPerCommit of [100, 1_000]) {
    const [pages = Infinity] = await pagesBroughtIn({ pagesPerCommit, tookMs: () => 0, times: 1 });
    assert(pages >= 8_000 && pages < 8_000 + 5 * pagesPerCommit, `There were ${pages} pages`);
  }
});

test("after a checkpoint that held up the process fewer pages are waited for, and as many again after a short one", async () => {
  const slow = await pagesBroughtIn({ pagesPerCommit: 100, tookMs: (pages) => pages / 10, times: 5 });
  assertEquals(slow.map((pages) => Math.floor(pages / 1_000)), [8, 4, 2, 2, 2]);
  let round = 0;
  const once = await pagesBroughtIn({ pagesPerCommit: 100, tookMs: () => round++ === 0 ? 100 : 1, times: 4 });
  assertEquals(once.map((pages) => Math.floor(pages / 1_000)), [8, 4, 8, 8]);
});

/** How many pages have been added each time that the disk was asked, until the log was brought in. */
async function pagesAsked(taken: boolean): Promise<readonly number[]> {
  let log = 0;
  let done = false;
  const asked: number[] = [];
  const system: FileSystem = {
    open: (_path, _flags, opened) => opened(null, 1),
    fdatasync: (_descriptor, synced) => {
      if (log < 8_000) asked.push(log);
      synced(null);
    },
    close: (_descriptor, closed) => closed(null),
  };
  const file = {
    path: "",
    measure: () => ({ log, checkpointed: 0 }),
    checkpoint: () => {
      done = true;
      return Promise.resolve(0);
    },
  };
  const checkpoints = new Checkpoints(file, 8_000, system);
  while (!done) {
    log += 10;
    checkpoints.committed(taken);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  await checkpoints.close();
  return asked;
}

test("the disk is asked on the way, so that there is little to take at any time", async () => {
  const asked = await pagesAsked(false);
  assertEquals(asked.length, 15);
  for (const [at, pages] of asked.entries()) assert(pages - (asked[at - 1] ?? 0) <= 540, `At ${asked}`);
});

test("the disk is not asked on the way where SQLite waits for it at each commit", async () => {
  assertEquals(await pagesAsked(true), []);
});

test("nothing is brought in before there is as much as is wanted", () =>
  withFile(async (database, file) => {
    const checkpoints = new Checkpoints(file, 1_000_000);
    for (let i = 0; i < 300; i++) await commit(database, checkpoints);
    await checkpoints.close();
    assertEquals(file.measure().checkpointed, 0);
  }), { skip });

test("what a checkpoint throws is not the commit's", () =>
  withFile(async (database, file) => {
    let asked = 0;
    const checkpoints = new Checkpoints({
      path: file.path,
      measure: () => file.measure(),
      checkpoint: () => {
        asked++;
        return Promise.reject(new Error("The disk is gone"));
      },
    }, 1);
    while (asked < 2) await commit(database, checkpoints);
    await checkpoints.close();
  }), { skip });

test(
  "a log that cannot be opened is brought in all the same by SQLite alone",
  () =>
    withFile(async (database, file) => {
      const checkpoints = new Checkpoints({ ...file, path: join(file.path, "nowhere") }, 1);
      for (let i = 0; i < 200; i++) await commit(database, checkpoints);
      await checkpoints.close();
      assertEquals(file.measure().checkpointed, 0);
      database.exec("PRAGMA wal_autocheckpoint = 1; INSERT INTO t VALUES (1)");
      assert(file.measure().checkpointed > 0);
    }),
  { skip },
);

test("nothing is done once it is closed", () =>
  withFile(async (database, file) => {
    const checkpoints = new Checkpoints(file, 1);
    await checkpoints.close();
    for (let i = 0; i < 200; i++) await commit(database, checkpoints);
    assertEquals(file.measure().checkpointed, 0);
  }), { skip });
