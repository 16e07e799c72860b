/** The service's own tables, beside the library's. */
import type { Status } from "./contracts.ts";
import type { Sql } from "./database.ts";

/** Makes them. No constraint hinders a second row: the accounts would show it. */
export async function createTables(sql: Sql): Promise<void> {
  await sql`create table if not exists orders
    (id text not null, total_in_cents integer not null, status text not null, closing text not null)`;
  await sql`create table if not exists mails (order_id text not null, what text not null)`;
}

/** @param closing the token by which its closing can be taken back */
export async function addOrder(sql: Sql, id: string, totalInCents: number, closing: string): Promise<void> {
  await sql`insert into orders (id, total_in_cents, status, closing)
    values (${id}, ${totalInCents}, ${"placed"}, ${closing})`;
}

/** Moves an order that is still open; gives the token of its closing, or `undefined` if it is not open. */
export async function finishOrder(sql: Sql, id: string, status: Status): Promise<string | undefined> {
  const [row] =
    await sql`update orders set status = ${status} where id = ${id} and status = ${"placed"} returning closing`;
  return row === undefined ? undefined : String(row["closing"]);
}

export async function statusOf(sql: Sql, id: string): Promise<Status> {
  const [row] = await sql`select status from orders where id = ${id}`;
  return (row?.["status"] ?? "unknown") as Status; // as it was written
}

export async function addMail(sql: Sql, orderId: string, what: Status): Promise<void> {
  await sql`insert into mails (order_id, what) values (${orderId}, ${what})`;
}

/** All orders whose ids begin so, and how many rows and mails each has. */
export async function listOrders(sql: Sql, prefix: string): Promise<readonly string[]> {
  const rows = await sql`select id, status from orders where id like ${prefix + "%"} order by id`;
  return rows.map(({ id, status }) => `${id} ${status}`);
}

export async function listMails(sql: Sql, prefix: string): Promise<readonly string[]> {
  const rows = await sql`select order_id, what from mails where order_id like ${prefix + "%"} order by order_id, what`;
  return rows.map(({ order_id: id, what }) => `${id} ${what}`);
}
