/** What is left of a connection that is lost while it is used: nothing. Else the process would not end either. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import client from "postgres";
import { systemClock } from "../../../src/runtime/system_clock.ts";
import { dialer } from "../../../stores/postgres/dial.ts";
import { LinePool } from "../../../stores/postgres/line_pool.ts";
import { PostgresJs } from "../../../stores/postgres/postgres_js.ts";
import { test } from "../../support/runner.ts";
import { TcpProxy } from "../../support/tcp_proxy.ts";
import { skip, url } from "./server.ts";

/** Connects again at once: before the client is given up, and not after some milliseconds. */
const options = { backoff: () => 0, fetch_types: false, onnotice: () => {} };

const patience = { clock: systemClock, ms: 60_000, where: "the database" };

/** Registers a test on a wire to the server. */
function onWire(name: string, run: (proxy: TcpProxy, url: string) => Promise<void>): void {
  test(`PostgreSQL: ${name}`, async () => {
    const there = new URL(url);
    const proxy = await TcpProxy.to(Number(there.port));
    there.port = String(proxy.port);
    try {
      await run(proxy, String(there));
    } finally {
      await proxy[Symbol.asyncDispose]();
    }
  }, { skip, timeoutInMs: 60_000 });
}

/** How many connections there are, once all that have been begun are seen: they are taken in order. */
async function connections(proxy: TcpProxy, url: string): Promise<number> {
  const last = client(url, { max: 1, fetch_types: false });
  await last.unsafe("SELECT 1");
  const found = proxy.connections - 1;
  await last.end();
  return found;
}

onWire("a connection that is lost with statements queued behind it is not made again", async (proxy, url) => {
  const pool = new LinePool(dialer(client, url, options), 1, patience, 60_000);
  const { sql } = await pool.take("transaction");
  await sql.unsafe("BEGIN");
  // One with values is answered before the next is sent.
  const queued = [1, 2, 3].map((n) => sql.unsafe("SELECT pg_sleep(600), $1::int", [n]));
  const rejected = Promise.all(queued.map((query) => assertRejects(() => query)));
  await proxy.cut();
  await rejected;
  assertEquals(await connections(proxy, url), 0);
  await pool.end();
});

onWire("a listener that ends while it is about to connect again does not", async (proxy, url) => {
  const lost = Promise.withResolvers<void>();
  const backoff = () => {
    // Its timer to connect is set in this turn; this one is before that.
    setTimeout(() => lost.resolve(stop()), 0);
    return 0;
  };
  const driver = new PostgresJs(client, {
    url,
    options: { ...options, backoff },
    max: 1,
    prepare: true,
    patience,
    answerMs: 60_000,
    listenUrl: undefined,
  });
  const stop = await driver.listen("nobody_speaks", () => {});
  assert(await connections(proxy, url) === 1, "it listens");
  await proxy.cut();
  await lost.promise;
  assertEquals(await connections(proxy, url), 0);
  await driver.close();
});
