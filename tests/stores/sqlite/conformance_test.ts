/** The SQLite store keeps the promises of a store. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Store } from "../../../src/spi/store.ts";
import { Files } from "../../../stores/sqlite/files.ts";
import type { SqliteTransaction } from "../../../stores/sqlite/mod.ts";
import { sqlite } from "../../../stores/sqlite/mod.ts";
import { SqliteStore } from "../../../stores/sqlite/store.ts";
import { register, storeConformance } from "../../conformance/store.ts";
import { virtualTime } from "../../conformance/test_clock.ts";
import { openNative } from "./native.ts";

register(
  "SQLite store",
  storeConformance(async () => {
    const folder = await mkdtemp(join(tmpdir(), "hero-sqlite-"));
    const path = join(folder, "store.db");
    const own = (tx: unknown): SqliteTransaction => tx as SqliteTransaction; // this store's
    const read = "SELECT text FROM own ORDER BY text";
    return {
      clock: virtualTime(),
      connect: () => sqlite({ path, synchronous: "normal" }),
      // Other connections and another mutex: to each other, they are what two processes are.
      elsewhere: (): Store<unknown> =>
        new SqliteStore({ path, synchronous: "normal", prefix: "hero_", lockTimeoutMs: 30_000 }, new Files()),
      own: {
        create: () => openNative(path, (database) => database.exec("CREATE TABLE IF NOT EXISTS own (text TEXT)")),
        add: async (tx, text) => void await own(tx).run("INSERT INTO own VALUES (?)", text),
        within: async (tx) => (await own(tx).all<{ readonly text: string }>(read)).map(({ text }) => text),
        all: () =>
          openNative(
            path,
            (database) => (database.prepare(read).all() as { readonly text: string }[]).map(({ text }) => text),
          ),
      },
      [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
    };
  }),
);
