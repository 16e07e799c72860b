/** The same jobs by BullMQ: `bullmq.ts everysec|always`. A bulk of 500 at a time, 64 handled at once. @module */
import { peer } from "../peers/mod.ts";
import { Consumed } from "../support/flow.ts";
import { args, runCase } from "../support/program.ts";
import { startRedis, type Synced } from "./redis.ts";
import { type Job, job } from "./work.ts";

/** What is used of the package. */
interface Bullmq {
  readonly Queue: new (name: string, options: object) => {
    addBulk(jobs: readonly { readonly name: string; readonly data: Job }[]): Promise<unknown>;
  };
  readonly Worker: new (name: string, handle: () => Promise<void>, options: object) => {
    waitUntilReady(): Promise<unknown>;
  };
}

const BULK = 500;

await runCase({
  [args[0] ?? ""]: {
    count: 20_000,
    prepare: async () => {
      const { Queue, Worker } = await peer<Bullmq>("bullmq");
      const connection = { host: "127.0.0.1", port: await startRedis((args[0] ?? "everysec") as Synced) };
      const consumed = new Consumed();
      const queue = new Queue("bench", { connection, defaultJobOptions: { removeOnComplete: true } });
      // deno-lint-ignore require-await -- a handler of theirs is one that gives a promise
      const worker = new Worker("bench", async () => consumed.one(), { connection, concurrency: 64 });
      await worker.waitUntilReady();
      return async (count) => {
        const done = consumed.expect(count);
        for (let first = 0; first < count; first += BULK) {
          const bulk = Array.from({ length: Math.min(BULK, count - first) }, (_, at) => job(first + at));
          await queue.addBulk(bulk.map((data) => ({ name: "work", data })));
        }
        await done;
      };
    },
  },
});
