/** Whole buses whose queues lie in PostgreSQL. */
import process from "node:process";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { command, createBus, event, query } from "../../../mod.ts";
import { ConfigurationError } from "../../../src/errors/configuration.ts";
import { RequestTimeoutError } from "../../../src/errors/sending.ts";
import { postgresTransport } from "../../../transports/postgres/mod.ts";
import { skip as noPostgres, url } from "../../stores/postgres/server.ts";
import { test } from "../../support/runner.ts";
import { canStartPgbouncer, startPgbouncer } from "../../support/servers/pgbouncer.ts";
import { PostgresBench } from "../../stores/postgres/server.ts";
import { onQueues, Rig } from "./rig.ts";
import { skipUnlessRequired } from "../../support/required.ts";

const Submit = command<{ readonly id: number }>("queues.submit");
const Submitted = event<{ readonly id: number }>("queues.submitted", { key: () => "k" });
const Get = query<{ readonly id: number }, { readonly status: string }>("queues.get");

onQueues(
  "commands, events by key, requests and replies go over one database; what fails comes again and ends in the error queue",
  undefined,
  async (rig) => {
    const { url, schema } = rig.bench;
    const bus = createBus({ name: "orders", transport: postgresTransport({ url, schema }) });
    const seen: number[] = [];
    let tries = 0;
    let lucky = false;
    const timedOut = Promise.withResolvers<void>();
    bus.endpoint("orders", { redeliver: ["50ms"] }).handle(Submit, async ({ id }, ctx) => {
      if (id === 13 && !lucky) {
        tries++;
        throw new Error("unlucky");
      }
      await ctx.publish(Submitted, { id });
    }).handle(Get, async ({ id }) => {
      if (id === 8) await timedOut.promise;
      return { status: `status of ${id}` };
    });
    bus.endpoint("billing", { order: "key" }).handle(Submitted, ({ id }) => void seen.push(id));
    await bus.start();
    try {
      for (let id = 0; id < 20; id++) await bus.send(Submit, { id });
      assertEquals(await bus.request(Get, { id: 7 }, { timeout: "20s" }), { status: "status of 7" });
      await assertRejects(() => bus.request(Get, { id: 8 }, { timeout: 1 }), RequestTimeoutError);
      timedOut.resolve();
      await rig.until("all events", () => seen.length === 19);
      await rig.until("the second try", () => tries === 2);
      const failed = async (): Promise<number> => (await Array.fromAsync(bus.errors("orders").list())).length;
      await rig.until("the error", async () => await failed() === 1);
      lucky = true;
      assertEquals(await bus.errors("orders").requeue("all"), 1);
      await rig.until("what was put back", () => seen.length === 20);
      assertEquals([new Set(seen).size, await failed()], [20, 0]);
    } finally {
      timedOut.resolve();
      await bus.stop();
    }
    const names = ["billing", "billing_error", "billing_skipped", "orders", "orders_error", "orders_skipped"];
    assertEquals((await rig.select("SELECT queue FROM hero_queue_overview")).map(({ queue }) => queue), names);
  },
);

onQueues("with the bus' own store, what a unit commits goes past the outbox, once", undefined, async (rig) => {
  const store = rig.bench.store();
  const bus = createBus({ name: "orders", transport: postgresTransport(store), store });
  const seen: number[] = [];
  let thrown = false;
  let outbox = 0;
  bus.endpoint("orders", { outbox: true, redeliver: ["20ms"] }).handle(Submit, async ({ id }, ctx) => {
    const tx = store.tx(ctx);
    await tx`INSERT INTO ${tx(`${rig.bench.schema}.own`)} VALUES (${id})`;
    await ctx.publish(Submitted, { id });
    if (id === 2 && !thrown) {
      thrown = true;
      throw new Error("after its writes");
    }
  });
  bus.endpoint("billing").handle(Submitted, async ({ id }) => {
    outbox += (await rig.select("SELECT FROM hero_outbox")).length;
    seen.push(id);
  });
  await bus.deploy("apply");
  await rig.bench.sql.unsafe(`CREATE TABLE "${rig.bench.schema}".own (id int)`);
  await bus.start();
  try {
    for (let id = 0; id < 5; id++) await bus.send(Submit, { id });
    await rig.until("all", () => seen.length === 5);
    await rig.until(
      "nothing to be left",
      async () => (await rig.select("SELECT FROM hero_queue_messages")).length === 0,
    );
  } finally {
    await bus.stop();
  }
  assertEquals([seen.toSorted(), outbox], [[0, 1, 2, 3, 4], 0]);
  const [own] = await rig.bench.sql.unsafe(`SELECT count(*)::int AS n FROM "${rig.bench.schema}".own`);
  assertEquals(own?.["n"], 5);
});

onQueues(
  "a second value of the store is refused at the start: it would share no transaction",
  undefined,
  async (rig) => {
    const [store, other] = [rig.bench.store(), rig.bench.store()];
    const bus = createBus({ name: "orders", transport: postgresTransport(other), store });
    bus.endpoint("orders", { outbox: true }).handle(Submit, () => {});
    await assertRejects(() => bus.start(), ConfigurationError, "Give both the same: const store = postgres(…)");
    await bus.stop();
    // What shares nothing on purpose, or cannot, is the application's matter.
    const { url, schema } = rig.bench;
    const [apart, elsewhere] = [postgresTransport({ url, schema }), rig.bench.store({ prefix: "other_" })];
    for (const transport of [apart, postgresTransport(elsewhere)]) {
      const bus = createBus({ name: "orders", transport, store: rig.bench.store() });
      await bus.deploy("apply");
      await bus.start();
      await bus.stop();
    }
  },
);

const missing = skipUnlessRequired(
  canStartPgbouncer() ? undefined : "no PgBouncer of Debian here: apt-get install pgbouncer",
);

test("PostgreSQL transport: behind a pooler that shares connections by transaction, looking is enough", async () => {
  const pooler = await startPgbouncer(6_840 + process.pid % 400, new URL(url), 3);
  const rig = new Rig(new PostgresBench());
  const where = { url: pooler.url, schema: rig.bench.schema, prepare: false, listen: false, max: 8 };
  const bus = (name: string) => createBus({ name, transport: postgresTransport(where, { pollInterval: "20ms" }) });
  const [client, server] = [bus("client"), bus("server")];
  const seen: number[] = [];
  server.endpoint("orders", { order: "key", concurrency: 8 }).handle(Submitted, ({ id }) => void seen.push(id))
    .handle(Get, ({ id }) => ({ status: String(id) }));
  try {
    await server.start();
    await client.start();
    for (let id = 0; id < 30; id++) await client.publish(Submitted, { id });
    assertEquals(await client.request(Get, { id: 1 }, { timeout: "30s" }), { status: "1" });
    await rig.until("all", () => seen.length >= 30);
    assertEquals(seen, Array.from({ length: 30 }, (_, id) => id));
    const used = await rig.bench.sql`
      SELECT count(*)::int AS n FROM pg_stat_activity WHERE query LIKE ${`%${rig.bench.schema}%`}`;
    assert(used[0]?.["n"] <= 3 + 2, `${used[0]?.["n"]} connections`);
  } finally {
    await client.stop();
    await server.stop();
    await rig.close();
    await pooler[Symbol.asyncDispose]();
  }
}, { skip: noPostgres ?? missing, timeoutInMs: 120_000 });
