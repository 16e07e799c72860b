/** What the shop writes down, beside what the library keeps. No constraint hinders a second row: the balance shows it. */
import type { Row, Sql } from "./database.ts";

export async function createTables(sql: Sql): Promise<void> {
  await sql`create table if not exists payments (order_id text not null, cents integer not null)`;
  await sql`create table if not exists stock (order_id text not null, pieces integer not null)`;
  await sql`create table if not exists outcomes (order_id text not null, outcome text not null)`;
  await sql`create index if not exists payments_order on payments (order_id)`;
  await sql`create index if not exists stock_order on stock (order_id)`;
  await sql`create index if not exists outcomes_order on outcomes (order_id)`;
}

/** A charge; a refund is one below zero. */
export async function addPayment(sql: Sql, orderId: string, cents: number): Promise<void> {
  await sql`insert into payments (order_id, cents) values (${orderId}, ${cents})`;
}

/** Takes a piece, or gives it back. */
export async function addStock(sql: Sql, orderId: string, pieces: number): Promise<void> {
  await sql`insert into stock (order_id, pieces) values (${orderId}, ${pieces})`;
}

/** How many pieces an order has. */
export async function stockOf(sql: Sql, orderId: string): Promise<number> {
  const [row] = await sql`select coalesce(sum(pieces), 0) as pieces from stock where order_id = ${orderId}`;
  return Number(row?.["pieces"] ?? 0);
}

export async function addOutcome(sql: Sql, orderId: string, outcome: string): Promise<void> {
  await sql`insert into outcomes (order_id, outcome) values (${orderId}, ${outcome})`;
}

/** How many orders whose ids begin so have an outcome. */
export async function countOutcomes(sql: Sql, prefix: string): Promise<number> {
  const [row] = await sql`select count(*) as outcomes from outcomes where order_id >= ${prefix} and order_id < ${
    prefix + "~"
  }`;
  return Number(row?.["outcomes"] ?? 0);
}

/** One row for each outcome: its order, what was paid for that and not refunded, and what it has of the stock. */
export function listOutcomes(sql: Sql, prefix: string): Promise<readonly Row[]> {
  return sql`select order_id, outcome,
      (select coalesce(sum(cents), 0) from payments where payments.order_id = outcomes.order_id) as paid,
      (select coalesce(sum(cents), 0) from payments where payments.order_id = outcomes.order_id and cents < 0) as refunded,
      (select coalesce(sum(pieces), 0) from stock where stock.order_id = outcomes.order_id) as pieces
    from outcomes where order_id >= ${prefix} and order_id < ${prefix + "~"}`;
}
