/** The SQLite transport keeps the promises of a transport. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sqliteTransport } from "../../../transports/sqlite/mod.ts";
import { virtualTime } from "../../conformance/test_clock.ts";
import { register, transportConformance } from "../../conformance/transport.ts";
import { topology } from "../../conformance/transport/trial.ts";
import { openNative } from "../../stores/sqlite/native.ts";

const { signal } = new AbortController();

register(
  "SQLite transport",
  transportConformance(async () => {
    const folder = await mkdtemp(join(tmpdir(), "hero-sqlite-"));
    const path = join(folder, "queues.db");
    const clock = virtualTime();
    // Those of one process share a file and tell each other: nothing is looked at every so often, through all of a year.
    const connect = () => sqliteTransport(path, { synchronous: "normal", lease: "15s", pollInterval: "10000d" });
    const operator = connect();
    await operator.open({ bus: "operator", clock, signal, status: () => {} });
    await operator.deploy(topology([]), "apply");
    await operator.close(0);
    return {
      clock,
      connect,
      tellsExpired: true,
      // Another process that had waited for the leases to end would have done the same.
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
