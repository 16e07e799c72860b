/** Rows that others have left in a store, sent: `drain.ts STORE handled|unhandled`, or `drain.ts bare`. @module */
import client from "postgres";
import { createBus } from "../../mod.ts";
import type { Store } from "../../src/spi/store.ts";
import { Consumed } from "../support/flow.ts";
import { args, finish, scaled } from "../support/program.ts";
import { busName, Drained, nobody, writeOutbox } from "../support/rows.ts";
import { openStore, schema, type StoreName, url } from "../support/stores.ts";

/** As in the rate that is to be met: so many are deleted by one statement. */
const BARE_AT_ONCE = 1000;

/** Tells of each row that the store has been told to be sent. */
function counted({ outbox }: Store<unknown>, consumed: Consumed): void {
  const done = outbox.done.bind(outbox);
  outbox.done = async (rows) => {
    await done(rows);
    for (const _row of rows) consumed.one();
  };
}

async function ours(name: StoreName, handled: boolean, count: number): Promise<number> {
  const store = await openStore(name, busName);
  await writeOutbox(store, count, handled ? undefined : nobody);
  const consumed = new Consumed();
  const bus = createBus({ name: busName, store });
  if (handled) bus.endpoint("sink", { concurrency: 256 }).handle(Drained, () => consumed.one());
  else counted(store, consumed);
  const measured = Math.floor(count * 0.8);
  // What compiling takes is no part of it. Looked at in the very turn: `start` may come back when all has been sent.
  const begin = consumed.until(measured).then(() => performance.now());
  const end = consumed.expect(count).then(() => performance.now());
  await bus.start();
  return measured / (await end - await begin) * 1000;
}

async function bare(count: number): Promise<number> {
  const store = await openStore("postgres", busName);
  await writeOutbox(store, count, nobody);
  const sql = client(url, { max: 1 });
  const table = `"${schema}"."hero_outbox"`;
  const next = `DELETE FROM ${table} WHERE place IN (SELECT place FROM ${table} ORDER BY place LIMIT ${BARE_AT_ONCE} ` +
    `FOR UPDATE SKIP LOCKED) RETURNING *`;
  const drain = async (least: number): Promise<number> => {
    let drained = 0;
    while (drained < least) {
      const rows = await sql.unsafe(next, [], { prepare: true });
      if (rows.length === 0) break;
      drained += rows.length;
    }
    return drained;
  };
  await drain(count * 0.2);
  const begin = performance.now();
  const drained = await drain(Infinity);
  return drained / (performance.now() - begin) * 1000;
}

const count = scaled(100_000);
const [store, handled] = args;
finish(store === "bare" ? await bare(count) : await ours(store as StoreName, handled === "handled", count));
