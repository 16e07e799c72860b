/** A service that began on SQLite moves to PostgreSQL, as docs/stores/from_sqlite_to_postgres.md says. */
import { assertEquals } from "@std/assert";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Bus, command, createBus, event, saga, type Store, type Transport, type } from "../../../mod.ts";
import { memory, memoryBroker } from "../../../transports/memory/mod.ts";
import { sqlite } from "../../../stores/sqlite/mod.ts";
import { postgresTransport } from "../../../transports/postgres/mod.ts";
import { sqliteTransport } from "../../../transports/sqlite/mod.ts";
import { openNative } from "../sqlite/native.ts";
import { onPostgres, type Opened } from "./opened.ts";

const Submitted = event<{ orderId: string }>("moving.submitted");
const Paid = event<{ orderId: string }>("moving.paid");
const Ship = command<{ orderId: string }>("moving.ship");
const Remind = command<{ orderId: string }>("moving.remind");

const Order = saga("order", {
  data: type<object>(),
  states: ["awaitingPayment"],
  events: (on) => ({
    submitted: on.start(Submitted, (m) => m.orderId, () => ({})),
    paid: on(Paid, (m) => m.orderId),
  }),
}, ({ initially, during, when }) => [
  initially(when("submitted").transitionTo("awaitingPayment")),
  during("awaitingPayment", when("paid").send(Ship, (ctx) => ({ orderId: ctx.id })).finalize()),
]);
const endpoints = ["order", "shipping", "reminders"];

/** The service, and what it has done. */
function service<Tx>(as: string, store: Store<Tx>, transport: Transport, done: string[]): Bus<Tx> {
  const bus = createBus({ name: "orders", store, transport });
  bus.add(Order);
  bus.endpoint("shipping", { outbox: true }).handle(Ship, ({ orderId }) => void done.push(`${as} ships ${orderId}`));
  bus.endpoint("reminders", { outbox: true }).handle(
    Remind,
    ({ orderId }) => void done.push(`${as} reminds of ${orderId}`),
  );
  return bus;
}

/** What is left, while it runs. */
async function left(old: Pick<Bus, "counts" | "health" | "sagas">): Promise<number> {
  let sum = await old.sagas(Order).count();
  for (const endpoint of endpoints) {
    const { waiting, active, delayed, failed, skipped } = await old.counts(endpoint);
    sum += waiting + active + delayed + failed + skipped;
  }
  for (const { backlog } of old.health().parts) sum += (backlog?.waiting ?? 0) + (backlog?.parked ?? 0);
  return sum;
}

const asked = {
  outbox: "SELECT 'outbox', bus, count(*) FROM hero_outbox GROUP BY bus",
  schedules: "SELECT 'schedules', bus, count(*) FROM hero_schedules GROUP BY bus",
  sagas: "SELECT 'sagas', bus, saga, state, count(*) FROM hero_sagas GROUP BY bus, saga, state",
  queues: "SELECT 'queues', queue, count(*) FROM hero_queue_message_overview GROUP BY queue",
};

/** In which of these tables the file has anything left. */
function leftIn(path: string, tables: readonly (keyof typeof asked)[]): Promise<readonly string[]> {
  return openNative(path, (file) => tables.filter((table) => file.prepare(asked[table]).all().length > 0));
}

function moving(name: string, run: (opened: Opened, path: string) => Promise<void>): void {
  onPostgres(name, async (opened) => {
    const folder = mkdtempSync(join(tmpdir(), "hero-moving-"));
    try {
      await run(opened, join(folder, "orders.db"));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

moving(
  "what a service began on SQLite ends there, beside the one on PostgreSQL, and nothing is left",
  async (opened, path) => {
    const [file, done]: [ReturnType<typeof sqlite>, string[]] = [sqlite(path), []];
    const before = service("file", file, sqliteTransport(file), done);
    await before.start();
    await before.publish(Submitted, { orderId: "1" });
    await before.schedule(Remind, { orderId: "1" }, { in: "2s" });
    await opened.until("the first is there", async () => await before.sagas(Order).count() === 1);
    await before.stop();
    assertEquals(await leftIn(path, ["outbox", "schedules", "sagas", "queues"]), ["schedules", "sagas"]);

    const [again, database] = [sqlite(path), opened.bench.store()];
    const old = service("file", again, sqliteTransport(again), done);
    const next = service("database", database, postgresTransport(database), done);
    await Promise.all([old.start(), next.start()]);
    try {
      await next.publish(Submitted, { orderId: "2" });
      await opened.until("the second is there", async () => await next.sagas(Order).count() === 1);
      for (const orderId of ["1", "2"]) {
        const bus = await old.sagas(Order).get(orderId) === undefined ? next : old;
        await bus.publish(Paid, { orderId });
      }
      await opened.until("all is done", () => done.length === 3);
      await opened.until("nothing is left", async () => await left(old) === 0);
      assertEquals(done.toSorted(), ["database ships 2", "file reminds of 1", "file ships 1"]);
    } finally {
      await Promise.all([old.stop(), next.stop()]);
    }
    assertEquals(await leftIn(path, ["outbox", "schedules", "sagas", "queues"]), []);
  },
);

moving(
  "what waits in a file is sent to a broker by a bus without endpoints, and handled once by who comes next",
  async (opened, path) => {
    const broker = memoryBroker(); // as RabbitMQ: it outlives the buses
    const done: string[] = [];
    const before = service("file", sqlite(path), memory({ broker }), done);
    await before.start();
    await before.schedule(Remind, { orderId: "1" }, { in: "1s" });
    await before.send(Ship, { orderId: "1" });
    await opened.until("it ships", () => done.length === 1);
    await before.stop();

    const next = service("database", opened.bench.store(), memory({ broker }), done);
    await next.start();
    const rest = createBus({ name: "orders", store: sqlite(path), transport: memory({ broker }) });
    await rest.start();
    try {
      await opened.until("it reminds", () => done.length === 2);
      await opened.until("nothing is left", async () => (await leftIn(path, ["outbox", "schedules"])).length === 0);
      assertEquals(done, ["file ships 1", "database reminds of 1"]);
    } finally {
      await Promise.all([rest.stop(), next.stop()]);
    }
  },
);
