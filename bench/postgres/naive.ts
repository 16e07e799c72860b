/** What a user would write by hand with postgres.js: a transaction for each message, a flight for each statement. @module */
import client from "postgres";
import { postgres } from "../../stores/postgres/mod.ts";
import { abreast } from "../support/flow.ts";
import type { Work } from "../support/program.ts";
import { removeSchema, schema, url } from "../support/stores.ts";
import { type ConsumerOptions, createOrders } from "./consumer.ts";

/** Prepares it; the tables are those of the store. */
export async function naive({ concurrency, pool, row }: Omit<ConsumerOptions, "group">): Promise<Work> {
  await removeSchema();
  const sql = client(url, { max: pool });
  for (const { script } of postgres({ url, schema }).migrations()) await sql.unsafe(script);
  await sql.unsafe(createOrders);
  const encoder = new TextEncoder();
  // As long as those of a message.
  const headers = "h".repeat(500);
  const inbox = sql(`${schema}.hero_inbox`);
  const outbox = sql(`${schema}.hero_outbox`);
  const orders = sql(`${schema}.orders`);
  let number = 0;

  /** Committed, and so sent: to be deleted. */
  let sent: string[] = [];
  let deletes = false;
  /** Beside the transactions, as the library does it: each statement takes what was sent during the one before. */
  async function deleteSent(): Promise<void> {
    if (deletes) return;
    deletes = true;
    while (sent.length > 0) {
      const places = sent;
      sent = [];
      const { count } = await sql`DELETE FROM ${outbox} WHERE place = ANY (${sql.array(places, 20)}) AND fence = 1`;
      if (count !== places.length) throw new Error(`${places.length} rows were sent, ${count} of them are deleted`);
    }
    deletes = false;
  }

  async function consume(): Promise<void> {
    const id = crypto.randomUUID();
    const now = Date.now();
    const order = `order-${++number}`;
    const total = number % 1000;
    const place = await sql.begin(async (tx): Promise<string | undefined> => {
      const { count } = await tx`INSERT INTO ${inbox} (bus, endpoint, message_id, keep_until)
        VALUES ('bench', 'orders', ${id}, ${now + 604_800_000}) ON CONFLICT DO NOTHING`;
      if (count === 0) return undefined;
      if (row) await tx`INSERT INTO ${orders} (id, total) VALUES (${order}, ${total})`;
      const body = encoder.encode(JSON.stringify({ id: order, stamp: 0 }));
      const [written] = await tx<{ readonly place: string }[]>`INSERT INTO ${outbox}
        (bus, id, unit, destination, content_type, headers, body, written_due_at, due_at, free_at, fence)
        VALUES ('bench', ${crypto.randomUUID()}, ${id}, 'topic:bench.order-confirmed', 'application/json', ${headers},
          ${body}, 0, ${now}, ${now + 30_000}, 1) RETURNING place`;
      return written?.place;
    });
    if (place === undefined) throw new Error(`The message ${id} is new and was taken for a duplicate`);
    sent.push(place);
    void deleteSent();
  }

  return (count) => abreast(concurrency, count, consume);
}
