/** What a user would write by hand with postgres.js: a transaction for each message, a flight for each statement. @module */
import client from "postgres";
import { postgres } from "../../stores/postgres/mod.ts";
import { abreast } from "../support/flow.ts";
import type { Work } from "../support/program.ts";
import { newId } from "../support/rows.ts";
import { removeSchema, schema, url } from "../support/stores.ts";
import { type ConsumerOptions, createOrders } from "./consumer.ts";
import { NaiveOutbox } from "./naive_outbox.ts";

/** Prepares it; the tables are those of the store. */
export async function naive({ concurrency, pool, row }: Omit<ConsumerOptions, "group">): Promise<Work> {
  await removeSchema();
  const sql = client(url, { max: pool });
  for (const { script } of postgres({ url, schema }).migrations()) await sql.unsafe(script);
  await sql.unsafe(createOrders);
  const inbox = sql(`${schema}.hero_inbox`);
  const outbox = new NaiveOutbox(sql);
  const orders = sql(`${schema}.orders`);
  let number = 0;

  async function consume(): Promise<void> {
    const id = newId();
    const now = Date.now();
    const order = `order-${++number}`;
    const total = number % 1000;
    const place = await sql.begin(async (tx): Promise<string | undefined> => {
      const { count } = await tx`INSERT INTO ${inbox} (bus, endpoint, message_id, keep_until)
        VALUES ('bench', 'orders', ${id}, ${now + 604_800_000}) ON CONFLICT DO NOTHING`;
      if (count === 0) return undefined;
      if (row) await tx`INSERT INTO ${orders} (id, total) VALUES (${order}, ${total})`;
      return await outbox.write(tx, id, "topic:bench.order-confirmed", { id: order, stamp: 0 }, now);
    });
    if (place === undefined) throw new Error(`The message ${id} is new and was taken for a duplicate`);
    outbox.sent(place);
  }

  return (count) => abreast(concurrency, count, consume);
}
