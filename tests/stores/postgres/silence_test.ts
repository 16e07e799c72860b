/** Connections to the database that say nothing any more, and do not break either. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import type { Socket } from "node:net";
import client from "postgres";
import { systemClock } from "../../../src/runtime/system_clock.ts";
import { dialer } from "../../../stores/postgres/dial.ts";
import { LinePool } from "../../../stores/postgres/line_pool.ts";
import { postgres } from "../../../stores/postgres/mod.ts";
import { PostgresJs } from "../../../stores/postgres/postgres_js.ts";
import { ConfigurationError } from "../../../src/errors/configuration.ts";
import { eventually, realTime } from "../../conformance/test_clock.ts";
import { test } from "../../support/runner.ts";
import { TcpProxy } from "../../support/tcp_proxy.ts";
import { skip, url } from "./server.ts";

const patience = { clock: systemClock, ms: 60_000, where: "the database" };

/** Registers a test on a driver whose connections go through a proxy, and have 100 ms to answer. */
function onWire(name: string, run: (driver: PostgresJs, proxy: TcpProxy, url: string) => Promise<void>): void {
  test(`PostgreSQL: ${name}`, async () => {
    const there = new URL(url);
    const proxy = await TcpProxy.to(Number(there.port));
    there.port = String(proxy.port);
    const options = { onnotice: () => {}, connect_timeout: 1 };
    const driver = new PostgresJs(client, {
      url: String(there),
      options,
      max: 4,
      prepare: true,
      patience,
      answerMs: 100,
      listenUrl: undefined,
    });
    try {
      await run(driver, proxy, String(there));
    } finally {
      await driver.close();
      await proxy[Symbol.asyncDispose]();
    }
  }, { skip, timeoutInMs: 60_000 });
}

const processOf = "SELECT pg_backend_pid(), $1::int";

onWire(
  "a connection that owes an answer for too long is given up, and those that are idle with it",
  async (driver, proxy) => {
    await Promise.all([1, 2, 3].map((n) => driver.query("SELECT pg_sleep(0.01), $1::int", [n])));
    const before = proxy.taken;
    assert(before === 3, `${before} connections`);
    proxy.stall();
    await assertRejects(() => driver.query(processOf, [1]));
    // None of the other two is tried.
    assertEquals((await driver.query(processOf, [2]))[0]?.[1], 2);
    assertEquals(proxy.taken, before + 2); // the one that has asked the server, and the new one
  },
);

onWire("a transaction whose connection falls silent is told so", async (driver, proxy) => {
  const connection = await driver.connect(new AbortController().signal, true);
  await connection.query("BEGIN");
  await connection.query(processOf, [1]);
  proxy.stall();
  await assertRejects(() => connection.query(processOf, [2]));
  assert(connection.lost);
  connection.release();
});

onWire(
  "where nobody answers whether the server is at work, a connection is given up as well",
  async (driver, proxy) => {
    await driver.query(processOf, [1]);
    proxy.drop(() => true);
    await assertRejects(() => driver.query(processOf, [2]));
    proxy.drop(() => false);
    assertEquals((await driver.query(processOf, [3]))[0]?.[1], 3);
  },
);

onWire("as long as the server is at work, there is all the time in the world", async (driver, proxy, url) => {
  const lock = Math.floor(Math.random() * 2 ** 31);
  const other = client(url, { max: 1, onnotice: () => {} });
  try {
    await other.unsafe(`SELECT pg_advisory_lock(${lock})`);
    const [[process] = []] = await driver.query(processOf, [1]);
    const before = proxy.taken;
    const answer = driver.query("SELECT pg_backend_pid(), pg_advisory_xact_lock($1::int)", [lock]);
    // It was asked about three times.
    await eventually(realTime(), "it to be asked about", () => proxy.taken >= before + 3, 30_000);
    await other.unsafe(`SELECT pg_advisory_unlock(${lock})`);
    assertEquals((await answer)[0]?.[0], process);
  } finally {
    await other.end();
  }
});

test("PostgreSQL: of a connection that is given up, the socket is closed though nobody hears", async () => {
  const there = new URL(url);
  const proxy = await TcpProxy.to(Number(there.port));
  there.port = String(proxy.port);
  const pool = new LinePool(dialer(client, String(there), { fetch_types: false }), 1, patience, 100);
  try {
    const line = await pool.take("statement");
    const sockets: Socket[] = [];
    const { socket: make } = {
      socket: (): Socket => {
        throw new Error("None is offered");
      },
      ...line.sql.options,
    };
    Object.assign(line.sql.options, {
      socket() {
        const socket = make();
        sockets.push(socket);
        return socket;
      },
    });
    await line.ask("SELECT 1", [], false);
    const [socket] = sockets;
    assert(socket !== undefined && !socket.destroyed);
    const closed = new Promise((resolve) => socket.once("close", resolve));
    proxy.stall();
    await assertRejects(() => line.ask("SELECT 1", [], false));
    await closed;
  } finally {
    await pool.end();
    await proxy[Symbol.asyncDispose]();
  }
}, { skip, timeoutInMs: 60_000 });

test("PostgreSQL: an { answerTimeout } that is none is refused", () => {
  assertThrows(() => postgres({ url, answerTimeout: 0 }), ConfigurationError, "answerTimeout");
  assertThrows(() => postgres({ url, answerTimeout: "10 s" }), ConfigurationError, "as { answerTimeout }");
});
