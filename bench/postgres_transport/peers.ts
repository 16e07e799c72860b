/** What a user would pick instead, as its documentation says to use it for many small jobs. @module */
import { peer } from "../peers/mod.ts";
import { removeSchema, url } from "../support/stores.ts";
import type { Handled, Job, Side } from "./work.ts";

/** What of pg-boss is used. */
interface Boss {
  on(event: "error", listener: (error: unknown) => void): unknown;
  start(): Promise<unknown>;
  createQueue(name: string): Promise<unknown>;
  deleteAllJobs(name: string): Promise<unknown>;
  insert(name: string, jobs: readonly { readonly data: Job }[]): Promise<unknown>;
  work(
    name: string,
    options: { readonly batchSize: number; readonly pollingIntervalSeconds: number },
    handler: (jobs: readonly { readonly data: Job }[]) => Promise<void>,
  ): Promise<unknown>;
}
interface BossModule {
  readonly PgBoss: new (options: { readonly connectionString: string; readonly schema: string }) => Boss;
}

const queue = "peer";

/** pg-boss: four workers of 250 jobs each, its shortest interval; jobs are inserted as they are sent, in one statement. */
export async function pgBoss(handled: Handled): Promise<Side> {
  await removeSchema("peer_boss");
  const { PgBoss } = await peer<BossModule>("pg-boss");
  const boss = new PgBoss({ connectionString: url, schema: "peer_boss" });
  boss.on("error", console.error);
  await boss.start();
  await boss.createQueue(queue);
  for (let worker = 0; worker < 4; worker++) {
    // deno-lint-ignore require-await -- a handler is asynchronous
    await boss.work(queue, { batchSize: 250, pollingIntervalSeconds: 0.5 }, async (jobs) => {
      for (const { data } of jobs) handled(data);
    });
  }
  return { send: (jobs) => boss.insert(queue, jobs.map((data) => ({ data }))) };
}

/** What of graphile-worker is used. */
interface Graphile {
  readonly Logger: new (factory: () => () => void) => unknown;
  makeWorkerUtils(options: object): Promise<{
    migrate(): Promise<void>;
    withPgClient<T>(
      work: (client: { query(text: string, values: readonly unknown[]): Promise<T> }) => Promise<T>,
    ): Promise<T>;
  }>;
  run(options: object): Promise<unknown>;
}

/** graphile-worker: 24 jobs at once, woken by NOTIFY; many jobs are added by one statement. */
export async function graphileWorker(handled: Handled): Promise<Side> {
  await removeSchema("peer_graphile");
  const { run, makeWorkerUtils, Logger } = await peer<Graphile>("graphile-worker");
  const common = { connectionString: url, schema: "peer_graphile", logger: new Logger(() => () => {}) };
  const utilities = await makeWorkerUtils(common);
  await utilities.migrate();
  const taskList = { peer: (job: Job) => handled(job) };
  await run({ ...common, concurrency: 24, pollInterval: 500, noHandleSignals: true, taskList });
  const add = "SELECT peer_graphile.add_job('peer', x.value) FROM json_array_elements($1::json) x";
  return { send: (jobs) => utilities.withPgClient((client) => client.query(add, [JSON.stringify(jobs)])) };
}
