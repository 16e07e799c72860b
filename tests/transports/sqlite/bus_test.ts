/** Whole buses over queues in a file. */
import { assertEquals, assertRejects } from "@std/assert";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { command, createBus, event, query, RequestTimeoutError } from "@hero/messaging";
import { sqlite } from "@hero/messaging/sqlite";
import { sqliteTransport } from "@hero/messaging/sqlite/transport";
import { eventually, realTime } from "../../conformance/test_clock.ts";
import { openNative } from "../../stores/sqlite/native.ts";
import { test } from "../../support/runner.ts";

const Submit = command<{ readonly id: number }>("queues.submit");
const Submitted = event<{ readonly id: number }>("queues.submitted", { key: () => "k" });
const Get = query<{ readonly id: number }, { readonly status: string }>("queues.get");

async function withFile(run: (path: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "hero-sqlite-"));
  try {
    await run(join(folder, "queues.db"));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function tables(path: string): Promise<unknown> {
  return openNative(
    path,
    (database) => database.prepare("SELECT queue FROM hero_queue_overview").all().map(({ queue }) => queue),
  );
}

test("commands, events by key, requests and replies go over one file; what fails comes again and ends in the error queue", () =>
  withFile(async (path) => {
    const bus = createBus({ name: "orders", transport: sqliteTransport(path, { synchronous: "normal" }) });
    const seen: number[] = [];
    let tries = 0;
    let lucky = false;
    bus.endpoint("orders", { redeliver: ["50ms"] }).handle(Submit, async ({ id }, ctx) => {
      if (id === 13 && !lucky) {
        tries++;
        throw new Error("unlucky");
      }
      await ctx.publish(Submitted, { id });
    }).handle(Get, ({ id }) => ({ status: `status of ${id}` }));
    bus.endpoint("billing", { order: "key" }).handle(Submitted, ({ id }) => void seen.push(id));
    await bus.start();
    try {
      for (let id = 0; id < 20; id++) await bus.send(Submit, { id });
      assertEquals(await bus.request(Get, { id: 7 }, { timeout: "20s" }), { status: "status of 7" });
      await eventually(realTime(), "all events", () => seen.length === 19);
      await eventually(realTime(), "the second try", () => tries === 2);
      const failed = async (): Promise<number> => (await Array.fromAsync(bus.errors("orders").list())).length;
      let parked = 0;
      await eventually(realTime(), "the error", () => {
        void failed().then((count) => parked = count);
        return parked === 1;
      });
      lucky = true;
      assertEquals(await bus.errors("orders").requeue("all"), 1);
      await eventually(realTime(), "what was put back", () => seen.length === 20);
      assertEquals([new Set(seen).size, await failed()], [20, 0]);
    } finally {
      await bus.stop();
    }
    assertEquals(await tables(path), [
      "billing",
      "billing_error",
      "billing_skipped",
      "orders",
      "orders_error",
      "orders_skipped",
    ]);
  }));

test("two buses on one file talk, and a request that nobody answers in time says so", () =>
  withFile(async (path) => {
    const transport = () => sqliteTransport(path, { synchronous: "normal" });
    const server = createBus({ name: "server", transport: transport() });
    let held = Promise.withResolvers<void>();
    server.endpoint("get").handle(Get, async ({ id }) => {
      if (id < 0) await held.promise;
      return { status: String(id) };
    });
    const client = createBus({ name: "client", transport: transport() });
    await server.start();
    await client.start();
    try {
      assertEquals(await client.request(Get, { id: 1 }, { timeout: "20s" }), { status: "1" });
      await assertRejects(() => client.request(Get, { id: -1 }, { timeout: "100ms" }), RequestTimeoutError);
      held.resolve();
      held = Promise.withResolvers();
    } finally {
      await client.stop();
      await server.stop();
    }
  }));

test("with store and transport on one file, what a unit commits has one effect and one message", () =>
  withFile(async (path) => {
    const store = sqlite({ path, synchronous: "normal" });
    const bus = createBus({ name: "orders", transport: sqliteTransport(store), store });
    const seen: number[] = [];
    let thrown = false;
    bus.endpoint("orders", { outbox: true, redeliver: ["20ms"] }).handle(Submit, async ({ id }, ctx) => {
      await store.tx(ctx).run("INSERT INTO own VALUES (?)", id);
      await ctx.publish(Submitted, { id });
      if (id === 2 && !thrown) {
        thrown = true;
        throw new Error("after its writes");
      }
    });
    bus.endpoint("billing").handle(Submitted, ({ id }) => void seen.push(id));
    await openNative(path, (database) => database.exec("CREATE TABLE own (id INTEGER)"));
    await bus.start();
    try {
      for (let id = 0; id < 5; id++) await bus.send(Submit, { id });
      await eventually(realTime(), "all", () => seen.length === 5);
    } finally {
      await bus.stop();
    }
    assertEquals(seen.toSorted(), [0, 1, 2, 3, 4]);
    const own = await openNative(path, (database) => database.prepare("SELECT id FROM own ORDER BY id").all().length);
    assertEquals(own, 5);
  }));

test("SQLite transport: what an open transaction will send does not hold up what others send, and is not passed over", () =>
  withFile(async (path) => {
    const store = sqlite({ path, synchronous: "normal" });
    const bus = createBus({ name: "orders", transport: sqliteTransport(store), store });
    const handled: number[] = [];
    bus.endpoint("orders", { outbox: true }).handle(Submit, ({ id }) => void handled.push(id));
    await bus.start();
    try {
      const [sent, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const open = bus.transaction(async (_, sender) => {
        await sender.send(Submit, { id: 1 });
        sent.resolve();
        await gate.promise;
      });
      await sent.promise;
      for (let id = 2; id <= 7; id++) await bus.send(Submit, { id });
      await eventually(realTime(), "the others", () => handled.length === 6);
      assertEquals(handled.toSorted(), [2, 3, 4, 5, 6, 7]);
      gate.resolve();
      await open;
      await eventually(realTime(), "what was committed last", () => handled.length === 7);
      assertEquals(handled.at(-1), 1);
    } finally {
      await bus.stop();
    }
  }));

test("SQLite transport: a path's commits wait for the disk, unless it is told otherwise", () =>
  withFile(async (path) => {
    // Asked within the statement that writes a message, by the connection that does.
    const watch = "CREATE TABLE seen (synchronous INTEGER); CREATE TRIGGER see AFTER INSERT ON hero_queue_messages " +
      "BEGIN INSERT INTO seen SELECT synchronous FROM pragma_synchronous; END";
    const [normal, full] = [1, 2];
    for (const [options, level] of [[{}, full], [{ synchronous: "normal" }, normal]] as const) {
      const bus = createBus({ name: "orders", transport: sqliteTransport(path, options) });
      const handled: number[] = [];
      bus.endpoint("orders").handle(Submit, ({ id }) => void handled.push(id));
      await bus.start();
      try {
        await openNative(path, (database) => database.exec(`DROP TABLE IF EXISTS seen; ${watch}`));
        for (let id = 0; id < 3; id++) await bus.send(Submit, { id });
        await eventually(realTime(), "all", () => handled.length === 3);
        const seen = await openNative(path, (database) => database.prepare("SELECT synchronous FROM seen").all());
        assertEquals(seen.map(({ synchronous }) => synchronous), [level, level, level]);
        await openNative(path, (database) => database.exec("DROP TRIGGER see"));
      } finally {
        await bus.stop();
      }
    }
  }));

test("SQLite transport: what expires while its endpoint is paused is counted, and kept where the endpoint says so", () =>
  withFile(async (path) => {
    const bus = createBus({ name: "orders", transport: sqliteTransport(path, { synchronous: "normal" }) });
    const handled: number[] = [];
    bus.endpoint("orders", { expired: "error" }).handle(Submit, ({ id }) => void handled.push(id));
    const clock = realTime();
    await bus.start();
    try {
      // What nobody looks at is taken away now and then, which may hit one of them, not each.
      for (let id = 0; id < 5 && bus.statistics("orders").expired === 0; id++) {
        await bus.pause("orders");
        await bus.send(Submit, { id }, { ttl: "200ms" });
        await clock.pass(400);
        await bus.resume("orders");
        await bus.send(Submit, { id: 100 + id });
        await eventually(clock, "what was sent after it", () => handled.includes(100 + id));
      }
      assertEquals(bus.statistics("orders").expired, 1);
      assertEquals(handled.filter((id) => id < 100), []);
      await eventually(clock, "it in the error queue", async () => (await bus.counts("orders")).failed === 1);
      const [kept] = await Array.fromAsync(bus.errors("orders").list());
      assertEquals(kept?.reason, "expired");
    } finally {
      await bus.stop();
    }
  }));
