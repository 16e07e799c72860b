/** The consumer that is measured: inbox, one row, one message out, in one commit. @module */
import type { TransactionSql } from "postgres";
import { type Bus, createBus, event } from "../../mod.ts";
import type { Store } from "../../src/spi/store.ts";
import type { Transport } from "../../src/spi/transport.ts";
import { postgres } from "../../stores/postgres/mod.ts";
import { removeSchema, schema, url } from "../support/stores.ts";

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
  readonly concurrency: number;
  /** The most connections. */
  readonly pool: number;
  /** How many messages share a commit. */
  readonly group: number;
  /** Whether the handler writes a row. */
  readonly row: boolean;
}

/** As it has been started. */
export type ConsumerBus = Bus<TransactionSql>;

/** Makes the table where the row goes. */
export const createOrders = `CREATE TABLE "${schema}"."orders" (id text PRIMARY KEY, total float8 NOT NULL)`;

/**
 * Starts a bus on an empty schema, in which orders have a table.
 *
 * @param transportOf makes its transport; left out: in memory
 */
export async function startConsumer(
  { concurrency, pool, group, row }: ConsumerOptions,
  confirmed: (confirmation: Confirmation) => void,
  transportOf?: (store: Store<TransactionSql>) => Transport,
): Promise<ConsumerBus> {
  await removeSchema();
  const store = postgres({ url, schema, max: pool });
  const bus = createBus({
    name: "bench",
    store,
    ...(transportOf === undefined ? {} : { transport: transportOf(store) }),
  });
  bus.endpoint("orders", { outbox: group === 1 ? true : { group }, concurrency }).handle(
    OrderPlaced,
    async ({ id, total, stamp }, context) => {
      if (row) {
        const { tx } = context;
        await tx`INSERT INTO ${tx(schema)}.orders (id, total) VALUES (${id}, ${total})`;
      }
      await context.publish(OrderConfirmed, { id, stamp });
    },
  );
  bus.endpoint("confirmations", { concurrency: 256 }).handle(OrderConfirmed, confirmed);
  await bus.start();
  await bus.transaction((tx) => tx.unsafe(createOrders));
  return bus;
}

let placed = 0;

/** Publishes a new order. */
export function place(bus: ConsumerBus, stamp = 0): Promise<void> {
  const number = ++placed;
  return bus.publish(OrderPlaced, { id: `order-${number}`, total: number % 1000, stamp });
}
