/** Measures one case: `run.ts CASE`. @module */
import client from "postgres";
import type { Transport } from "../../src/spi/transport.ts";
import { postgresTransport } from "../../transports/postgres/mod.ts";
import { type ConsumerOptions, place, startConsumer } from "../postgres/consumer.ts";
import { collected, single } from "../postgres/settings.ts";
import { abreast, Consumed } from "../support/flow.ts";
import { type Case, runCase, type Work } from "../support/program.ts";
import { schema, url } from "../support/stores.ts";
import { graphileWorker, pgBoss } from "./peers.ts";
import { job, ours, startBus, type StartSide } from "./work.ts";

/** So many are sent together, the next when they are kept. */
const TOGETHER = 500;
/** Of a consumer's messages: each awaits its own, more than are handled at once. */
const PUBLISHERS = 256;

/** Sends and handles: what one side is for. */
async function through(start: StartSide): Promise<Work> {
  const consumed = new Consumed();
  const side = await start(() => consumed.one());
  return async (count) => {
    const done = consumed.expect(count);
    for (let sent = 0; sent < count; sent += TOGETHER) {
      await side.send(Array.from({ length: Math.min(TOGETHER, count - sent) }, (_, at) => job(sent + at)));
    }
    await done;
  };
}

/** Takes from a queue in which so many more wait all the while. */
async function standing(backlog: number): Promise<Work> {
  const consumed = new Consumed();
  const bus = await startBus(() => consumed.one());
  await bus.pause("work");
  const sql = client(url, { max: 1 });
  const [{ n: queue } = { n: 0 }] = await sql.unsafe(
    `SELECT id AS n FROM "${schema}".hero_queue_queues WHERE name = 'work'`,
  );
  // By the database itself: sending them would take longer than what is measured.
  const fill = async (count: number): Promise<void> => {
    const body = JSON.stringify(job(0));
    await sql.unsafe(
      `INSERT INTO "${schema}".hero_queue_messages SELECT nextval('"${schema}".hero_queue_places'), ${queue}, 0, 0, NULL, ` +
        `0, 0, 0, 2, false, false, NULL, gen_random_uuid()::text, 'queue:work', 'application/json', ` +
        `'[["hero-id","' || gen_random_uuid() || '"],["hero-type","bench.work"]]', convert_to('${body}', 'UTF8') ` +
        `FROM generate_series(1, ${count})`,
    );
  };
  await fill(backlog);
  await sql.unsafe(`VACUUM ANALYZE "${schema}".hero_queue_messages`);
  await sql.unsafe("CHECKPOINT");
  return async (count) => {
    await fill(count);
    const done = consumed.expect(count);
    await bus.resume("work");
    await done;
    await bus.pause("work");
  };
}

/** A transactional consumer: its message, its row if it writes one, and what it publishes, all in one database. */
async function consumer(transportOf: Parameters<typeof startConsumer>[2], how = single): Promise<Work> {
  const consumed = new Consumed();
  const bus = await startConsumer({ ...how, pool: 16 }, () => consumed.one(), transportOf);
  return async (count) => {
    const done = consumed.expect(count);
    await abreast(PUBLISHERS, count, () => place(bus));
    await done;
  };
}

/** Who only publishes holds no connection, and may have more in flight. */
const publishing: ConsumerOptions = { ...collected, concurrency: 64 };
const given = (store: Parameters<typeof postgresTransport>[0]): Transport => postgresTransport(store);
/** With queues of its own, which share nothing with the store: what leaves goes through the outbox. */
const apart = (): Transport => postgresTransport({ url, schema });

const cases: Readonly<Record<string, Case>> = {
  "ours": { count: 40_000, prepare: () => through(ours) },
  "pg-boss": { count: 10_000, prepare: () => through(pgBoss) },
  "graphile-worker": { count: 5_000, prepare: () => through(graphileWorker) },
  "empty": { count: 20_000, prepare: () => standing(1) },
  "enlisted": { count: 10_000, warmUp: 0.5, prepare: () => consumer(given) },
  "outbox": { count: 10_000, warmUp: 0.5, prepare: () => consumer(apart) },
  "enlisted-collected": { count: 20_000, warmUp: 0.5, prepare: () => consumer(given, publishing) },
  "outbox-collected": { count: 20_000, warmUp: 0.5, prepare: () => consumer(apart, publishing) },
  "backlog": { count: 20_000, prepare: () => standing(1_000_000) },
};

await runCase(cases);
