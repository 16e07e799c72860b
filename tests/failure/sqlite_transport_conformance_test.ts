/** The SQLite transport keeps its promises among processes: each has connections of its own, and time is real. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Files } from "../../stores/sqlite/files.ts";
import { SqliteStore } from "../../stores/sqlite/store.ts";
import { sqliteTransport } from "../../transports/sqlite/mod.ts";
import { realTime } from "../conformance/test_clock.ts";
import { register, transportConformance } from "../conformance/transport.ts";
import { topology } from "../conformance/transport/trial.ts";
import { openNative } from "../stores/sqlite/native.ts";

const { signal } = new AbortController();

register(
  "SQLite transport among processes",
  transportConformance(async () => {
    const folder = await mkdtemp(join(tmpdir(), "hero-sqlite-"));
    const path = join(folder, "queues.db");
    const clock = realTime();
    // Other connections and another mutex: to each other, they are what processes are.
    const connect = () =>
      sqliteTransport(
        new SqliteStore({ path, synchronous: "normal", prefix: "hero_", lockTimeoutMs: 30_000 }, new Files()),
        { lease: "3s", pollInterval: "50ms" },
      );
    const operator = connect();
    await operator.open({ bus: "operator", clock, signal, status: () => {} });
    await operator.deploy(topology([]), "apply");
    await operator.close(0);
    return {
      clock,
      connect,
      breakClaims: () =>
        openNative(
          path,
          (database) =>
            database.exec("UPDATE hero_queue_messages SET deliveries = deliveries + 1, at = 0 WHERE state = 4"),
        ),
      [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
    };
  }),
);
