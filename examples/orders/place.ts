/** Where the shop is to run, as the command line says it: the same for the office and for its worker. */
import process from "node:process";
import { parseArgs } from "node:util";
import type { Transport } from "@hero/messaging";
import { type Database, postgresDatabase, sqliteDatabase } from "./database.ts";

const { values } = parseArgs({
  options: {
    store: { type: "string", default: "sqlite" },
    transport: { type: "string", default: "store" },
    orders: { type: "string", default: "1000" },
    file: { type: "string" },
    postgres: {
      type: "string",
      default: process.env["POSTGRES_URL"] ?? "postgres://postgres@127.0.0.1:5432/postgres",
    },
    rabbitmq: { type: "string", default: process.env["RABBITMQ_URL"] ?? "amqp://127.0.0.1" },
  },
});

/** How many orders. */
export const orders = Number(values.orders);
if (!(Number.isSafeInteger(orders) && orders >= 1)) {
  throw new Error(`--orders ${values.orders} is no whole number from 1`);
}
/** The file that was named, if one was. */
export const file: string | undefined = values.file;

/** Does something on the database and the queues that were asked for. */
export async function at<Result>(
  path: string,
  work: <Tx>(database: Database<Tx>, transport: Transport) => Promise<Result>,
): Promise<Result> {
  if (values.store !== "sqlite" && values.store !== "postgres") {
    throw new Error(`There is no --store ${values.store}: say sqlite or postgres`);
  }
  if (values.store === "sqlite") return await on(sqliteDatabase(path), work);
  return await on(await postgresDatabase(values.postgres), work);
}

async function on<Tx, Result>(
  database: Database<Tx>,
  work: <Each>(database: Database<Each>, transport: Transport) => Promise<Result>,
): Promise<Result> {
  if (values.transport === "store") return await work(database, database.queues());
  if (values.transport !== "rabbitmq") {
    throw new Error(`There is no --transport ${values.transport}: say store or rabbitmq`);
  }
  const { rabbitmq } = await import("@hero/messaging/rabbitmq");
  return await work(database, rabbitmq(values.rabbitmq));
}
