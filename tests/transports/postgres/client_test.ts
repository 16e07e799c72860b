/** A transport that goes where a client of postgres.js goes. */
import client from "postgres";
import { assertEquals } from "@std/assert";
import { command, createBus } from "../../../mod.ts";
import { optionsOf } from "../../../stores/postgres/client_options.ts";
import { postgresTransport } from "../../../transports/postgres/mod.ts";
import { PostgresBench, skip } from "../../stores/postgres/server.ts";
import { test } from "../../support/runner.ts";

const Submit = command<{ readonly id: bigint }>("queues.submit");

test("where a client of postgres.js connects to is read from it: hosts, who, how", () => {
  const password = () => Promise.resolve("changes");
  const sql = client("postgres://ada@one:6432,two:6433/orders", {
    password,
    ssl: "require",
    prepare: false,
    connect_timeout: 3,
    target_session_attrs: "read-write",
    connection: { application_name: "shop" },
  });
  const { prepare, connection } = optionsOf(sql);
  assertEquals(prepare, false);
  assertEquals(client(connection ?? {}).options.host, ["one", "two"]);
  assertEquals({ ...connection }, {
    host: ["one", "two"],
    port: [6432, 6433],
    path: false,
    database: "orders",
    user: "ada",
    password,
    ssl: "require",
    connect_timeout: 3,
    keep_alive: 60,
    target_session_attrs: "read-write",
    connection: { application_name: "shop" },
  } as unknown);
  assertEquals(optionsOf(client("postgres://localhost/orders")).prepare, undefined);
});

test("postgresTransport(sql) keeps its queues in the client's database, on connections of its own", async () => {
  await using bench = new PostgresBench();
  const database = `${bench.schema}_queues`;
  await bench.sql.unsafe(`CREATE DATABASE "${database}"`);
  const where = new URL(bench.url);
  where.pathname = database;
  const sql = client(where.href, { max: 1, onnotice: () => {}, types: { bigint: client.BigInt } });
  try {
    const bus = createBus({ name: "orders", transport: postgresTransport(sql) });
    const { promise, resolve } = Promise.withResolvers<bigint>();
    bus.endpoint("orders").handle(Submit, ({ id }) => resolve(id));
    await bus.start();
    // The client's only connection is taken meanwhile, and is there afterwards.
    await sql.begin(async (tx) => {
      await bus.send(Submit, { id: 7n });
      assertEquals(await promise, 7n);
      const [row] = await tx<{ queue: string }[]>`SELECT queue FROM hero_queue_overview WHERE queue = 'orders'`;
      assertEquals(row?.queue, "orders");
    });
    await bus.stop();
    assertEquals((await sql`SELECT 1::bigint AS one`)[0]?.["one"], 1n);
  } finally {
    await sql.end();
    await bench.sql.unsafe(`DROP DATABASE "${database}" WITH (FORCE)`);
  }
}, { skip });
