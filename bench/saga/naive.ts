/** What a user would write by hand with postgres.js for one transition: inbox, load, update, outbox. @module */
import client from "postgres";
import { postgres } from "../../stores/postgres/mod.ts";
import { NaiveOutbox } from "../postgres/naive_outbox.ts";
import { abreast } from "../support/flow.ts";
import type { Work } from "../support/program.ts";
import { newId } from "../support/rows.ts";
import { removeSchema, schema, url } from "../support/stores.ts";

const instances = 1_000;

/** Prepares it; the tables are those of the store. */
export async function naive(concurrency: number): Promise<Work> {
  await removeSchema();
  const sql = client(url, { max: concurrency + 2, onnotice: () => {} });
  for (const { script } of postgres({ url, schema }).migrations()) await sql.unsafe(script);
  const encoder = new TextEncoder();
  const decoder = new TextDecoder();
  const inbox = sql(`${schema}.hero_inbox`);
  const outbox = new NaiveOutbox(sql);
  const sagas = sql(`${schema}.hero_sagas`);
  for (let id = 0; id < instances; id++) {
    const data = encoder.encode(JSON.stringify({ data: { total: 0, name: "switch" } }));
    await sql`INSERT INTO ${sagas} (bus, saga, id, incarnation, version, data_schema, state, data, indexes)
      VALUES ('bench', 'switch', ${String(id)}, 'a', 1, 1, 'off', ${data}, '{}')`;
  }

  async function transition(number: number): Promise<void> {
    const messageId = newId();
    const id = String(number % instances);
    const now = Date.now();
    const place = await sql.begin(async (tx): Promise<string | undefined> => {
      const { count } = await tx`INSERT INTO ${inbox} (bus, endpoint, message_id, keep_until)
        VALUES ('bench', 'switch', ${messageId}, ${now + 604_800_000}) ON CONFLICT DO NOTHING`;
      if (count === 0) return undefined;
      const [row] = await tx<{ readonly version: string; readonly state: string; readonly data: Uint8Array }[]>`
        SELECT version, state, data FROM ${sagas}
        WHERE bus = 'bench' AND saga = 'switch' AND id = ${id} FOR UPDATE`;
      if (row === undefined) throw new Error(`The instance ${id} is missing`);
      const document = JSON.parse(decoder.decode(row.data));
      document.data.total++;
      const data = encoder.encode(JSON.stringify(document));
      const { count: updated } = await tx`UPDATE ${sagas} SET version = version + 1,
        state = ${row.state === "off" ? "on" : "off"}, data = ${data}
        WHERE bus = 'bench' AND saga = 'switch' AND id = ${id} AND version = ${row.version}`;
      if (updated !== 1) throw new Error(`The instance ${id} was changed meanwhile`);
      return await outbox.write(tx, messageId, "topic:bench.confirmed", { id, stamp: 0 }, now);
    });
    if (place === undefined) throw new Error(`The message ${messageId} is new and was taken for a duplicate`);
    outbox.sent(place);
  }

  return (count) => abreast(concurrency, count, transition);
}
