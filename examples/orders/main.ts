/**
 * An order service, for a day: `deno run -A examples/orders/main.ts`.
 *
 * `--store postgres` instead of SQLite, `--transport rabbitmq` instead of memory, `--orders 500`, `--file orders.db`.
 * Ends with 0 only if everything is accounted for.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import type { Transport } from "@hero/messaging";
import { type Database, postgresDatabase, sqliteDatabase } from "./database.ts";
import { runDay, unbalanced } from "./day.ts";
import { startService } from "./service.ts";

const { values } = parseArgs({
  options: {
    store: { type: "string", default: "sqlite" },
    transport: { type: "string", default: "memory" },
    orders: { type: "string", default: "100" },
    file: { type: "string", default: "orders.db" },
    postgres: { type: "string", default: "postgres://localhost/orders" },
    rabbitmq: { type: "string", default: "amqp://localhost" },
  },
});

async function transportOf(name: string): Promise<Transport | undefined> {
  if (name === "memory") return undefined;
  if (name !== "rabbitmq") throw new Error(`There is no --transport ${name}: say memory or rabbitmq`);
  const { rabbitmq } = await import("@hero/messaging/rabbitmq");
  return rabbitmq(values.rabbitmq);
}

/** On whatever database: `Tx` is its own. */
async function run<Tx>(database: Database<Tx>): Promise<readonly string[]> {
  const bus = await startService({ database, transport: await transportOf(values.transport), paymentTime: "3s" });
  try {
    const day = new Date().toISOString();
    const orders = Number(values.orders);
    const accounts = await runDay(bus, database, { day, orders, signal: AbortSignal.timeout(60_000) });
    const wrong = unbalanced(accounts);
    for (const { claim, actual } of accounts) console.log(`${claim}: ${actual.length}`);
    return wrong;
  } finally {
    await bus.stop();
  }
}

if (values.store !== "sqlite" && values.store !== "postgres") {
  throw new Error(`There is no --store ${values.store}: say sqlite or postgres`);
}
const wrong = values.store === "sqlite"
  ? await run(sqliteDatabase(values.file))
  : await run(await postgresDatabase(values.postgres));
for (const line of wrong) console.log(line);
console.log(wrong.length === 0 ? "everything is accounted for" : "the accounts do not balance");
process.exitCode = wrong.length === 0 ? 0 : 1;
