/** A file that is taken away under those who have it open. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { copyFile, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { command, createBus } from "../../../mod.ts";
import { FileIdentity } from "../../../stores/sqlite/file_identity.ts";
import { sqlite } from "../../../stores/sqlite/mod.ts";
import { SqliteStore } from "../../../stores/sqlite/store.ts";
import { sqliteTransport } from "../../../transports/sqlite/mod.ts";
import { test } from "../../support/runner.ts";

const Work = command<{ id: string }>("identity.work");

async function inFolder(run: (path: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "hero-sqlite-"));
  try {
    await run(join(folder, "app.db"));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const ways: Readonly<Record<string, readonly [(path: string) => Promise<unknown>, string]>> = {
  "is deleted": [(path) => rm(path), "it was deleted while"],
  "is moved": [(path) => rename(path, `${path}.old`), "it was deleted while"],
  "is replaced": [
    async (path) => {
      await copyFile(path, `${path}.new`);
      await rename(`${path}.new`, path);
    },
    "another file has taken the place of it while",
  ],
  "loses its log": [(path) => rm(`${path}-wal`), "its log was deleted while"],
};

for (const [what, [take, why]] of Object.entries(ways)) {
  test(`a bus whose SQLite file ${what} under it is unhealthy, and says what to do`, () =>
    inFolder(async (path) => {
      const store = sqlite({ path, synchronous: "normal" });
      const bus = createBus({ name: "orders", store, transport: sqliteTransport(store) });
      bus.endpoint("work").handle(Work, () => {});
      await bus.start();
      try {
        await bus.send(Work, { id: "1" });
        if (!(store instanceof SqliteStore)) throw new Error("another store");
        const { identity } = store.session.file;
        await identity.look();
        assertEquals(bus.health().status, "healthy");
        await take(path);
        await identity.look();
        const { status, parts } = bus.health();
        assertEquals(status, "unhealthy");
        for (const name of ["store sqlite", "transport sqlite"]) {
          const reason = parts.find((part) => part.name === name)?.reason ?? "";
          assertStringIncludes(reason, why);
          assertStringIncludes(reason, "stop all that have it open");
        }
      } finally {
        await bus.stop();
      }
    }));
}

test("a file is looked at every 10 s, is well again once it is back, and not looked at once it is closed", () =>
  inFolder(async (path) => {
    const waits: number[] = [];
    let next: (() => void) | undefined;
    const identity = new FileIdentity(path, (ms, run) => {
      waits.push(ms);
      next = run;
      return () => next = undefined;
    });
    const told: boolean[] = [];
    identity.listeners.add((gone) => told.push(gone !== undefined));
    const look = async () => {
      next?.();
      await identity.look();
    };
    await identity.look(); // not there yet, so not known
    await writeFile(path, "");
    await look();
    await rename(path, `${path}.old`);
    await look();
    await look();
    await rename(`${path}.old`, path);
    await look();
    assertEquals([told, new Set(waits)], [[true, false], new Set([10_000])]);
    await identity.close();
    assertEquals(next, undefined);
    await rm(path);
    await identity.look();
    assertEquals([told, next], [[true, false], undefined]);
  }));
