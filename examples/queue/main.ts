/**
 * A durable queue without a broker: `deno task demo:queue`.
 *
 * One SQLite file, three worker processes, 10,000 jobs of which some fail, and a `kill -9` in the middle. Ends with 0
 * only if each job was done once, or lies in the error queue once.
 *
 * `--jobs 500`, `--file jobs.db`.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { createBus } from "@hero/messaging";
import { sqliteTransport } from "@hero/messaging/sqlite/transport";
import { table, unbalanced } from "./balance.ts";
import { Board } from "./board.ts";
import { idOf, type Job, jobs, Resize } from "./jobs.ts";
import { Ledger, type Progress } from "./ledger.ts";
import { Worker } from "./workers.ts";

const patienceInMs = 120_000;
const lookEveryMs = 100;
/** Sent together, and so committed together. */
const batch = 500;

/** All of it; whether it balances. */
async function run(path: string, all: readonly Job[]): Promise<boolean> {
  const ledger = new Ledger(path);
  const bus = createBus({ name: "office", transport: sqliteTransport(path) });
  const board = new Board();
  const workers: Worker[] = [];
  try {
    workers.push(...await Promise.all([1, 2, 3].map((number) => Worker.open(path, `worker ${number}`))));
    await bus.start();
    board.say(`three workers are open, ${all.length} jobs are sent`);

    const end = performance.now() + patienceInMs;
    /** Shows how far it is until it is far enough, or patience is over. */
    const until = async (enough: (progress: Progress) => boolean): Promise<void> => {
      for (;;) {
        const progress = ledger.progress();
        board.show({ ...progress, jobs: all.length, workers });
        if (enough(progress) || performance.now() > end) return;
        await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
      }
    };

    const sending = (async () => {
      for (let at = 0; at < all.length; at += batch) {
        const some = all.slice(at, at + batch);
        await Promise.all(some.map((job) => bus.send(Resize, job, { messageId: idOf(job.job) })));
      }
    })();
    sending.catch(() => {}); // it is awaited below

    await until(({ done }) => done >= all.length / 3);
    const [victim] = workers;
    await victim?.kill();
    const { done, active } = ledger.progress();
    board.say(`${victim?.name} is killed: ${done} of ${all.length} jobs are done, ${active} in hand`);
    workers.push(await Worker.open(path, "worker 4"));
    board.say("worker 4 takes its place");

    await sending;
    await until(({ done, givenUp, waiting, active, delayed }) =>
      done + givenUp >= all.length && waiting + active + delayed === 0
    );
    board.end();
    const found = { done: ledger.done(), givenUp: ledger.givenUp(), left: ledger.progress() };
    const wrong = unbalanced(all, found);
    board.say(`${wrong.length === 0 ? "every job has its end" : "time is over"}\n`);
    console.log(table(all, found));
    for (const line of wrong.slice(0, 20)) console.log(line);
    console.log(wrong.length === 0 ? "\nit balances" : `\n${wrong.length} things do not balance`);
    return wrong.length === 0;
  } finally {
    await Promise.all(workers.map((worker) => worker.close()));
    await bus.stop();
    ledger.close();
  }
}

const { values: flags } = parseArgs({
  options: { jobs: { type: "string", default: "10000" }, file: { type: "string" } },
});
const count = Number(flags.jobs);
if (!(Number.isSafeInteger(count) && count >= 1)) throw new Error(`--jobs ${flags.jobs} is no whole number from 1`);
const folder = mkdtempSync(join(tmpdir(), "hero-queue-"));
try {
  const balanced = await run(flags.file ?? join(folder, "jobs.db"), jobs(count));
  process.exitCode = balanced ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
