/** The consumer that is measured: inbox, one row, one message out, in one commit. @module */
import { type Bus, createBus, event } from "../../mod.ts";
import { sqlite, type SqliteTransaction } from "../../stores/sqlite/mod.ts";

/** What comes. */
export interface Order {
  readonly id: string;
  readonly total: number;
  readonly stamp: number;
}
/** What leaves, delivered to an endpoint of the same bus. */
export interface Confirmation {
  readonly id: string;
  readonly stamp: number;
}

/** Comes. */
export const OrderPlaced = event<Order>("bench.order-placed");
const OrderConfirmed = event<Confirmation>("bench.order-confirmed");

/** How it consumes. */
export interface ConsumerOptions {
  readonly path: string;
  readonly synchronous: "full" | "normal";
  readonly concurrency: number;
  /** How many messages share a commit. */
  readonly group: number;
}

/** As it has been started. */
export type ConsumerBus = Bus<SqliteTransaction>;

/** Starts a bus on a file, in which orders have a table. */
export async function startConsumer(
  { path, synchronous, concurrency, group }: ConsumerOptions,
  confirmed: (confirmation: Confirmation) => void,
): Promise<ConsumerBus> {
  const bus = createBus({ name: "bench", store: sqlite({ path, synchronous }) });
  bus.endpoint("orders", { outbox: group === 1 ? true : { group }, concurrency }).handle(
    OrderPlaced,
    async ({ id, total, stamp }, context) => {
      await context.tx.run("INSERT INTO orders (id, total) VALUES (?, ?)", id, total);
      await context.publish(OrderConfirmed, { id, stamp });
    },
  );
  bus.endpoint("confirmations", { concurrency: 256 }).handle(OrderConfirmed, confirmed);
  await bus.start();
  await bus.transaction((tx) => tx.run("CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, total REAL NOT NULL)"));
  return bus;
}

let placed = 0;

/** Publishes a new order. */
export function place(bus: ConsumerBus, stamp = 0): Promise<void> {
  const number = ++placed;
  return bus.publish(OrderPlaced, { id: `order-${number}`, total: number % 1000, stamp });
}
