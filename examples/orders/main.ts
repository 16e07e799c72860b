/**
 * A day of a shop whose orders are sagas: `deno task demo`.
 *
 * An office submits 1,000 orders of mixed fates; a worker process handles them, is killed in the middle, and another goes
 * on. Ends with 0 only if every order has one outcome, and payments and stock balance.
 *
 * Everything is in one SQLite file, queues as well. `--store postgres` takes a server, `--transport rabbitmq` a broker;
 * `--orders 200`, `--file shop.db`.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Transport } from "@hero/messaging";
import { table, unbalanced } from "./balance.ts";
import { customers, submit } from "./customers.ts";
import type { Database } from "./database.ts";
import { at, file, orders } from "./place.ts";
import { openOffice } from "./shop.ts";
import { countOutcomes, listOutcomes } from "./tables.ts";

const patienceInMs = 60_000;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Starts a worker, and waits until it is open. */
async function openWorker(path: string): Promise<ChildProcess> {
  const program = fileURLToPath(new URL("worker.ts", import.meta.url));
  const flags = "Deno" in globalThis ? ["run", "-A"] : process.execArgv;
  const child = spawn(process.execPath, [...flags, program, ...process.argv.slice(2), "--file", path], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await new Promise<void>((resolve, reject) => {
    child.stdout?.once("data", () => resolve());
    child.once("exit", (status) => reject(new Error(`The worker has ended with ${status} before it was open`)));
  });
  child.stdout?.resume();
  return child;
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    else child.once("exit", () => resolve());
  });
}

/** The whole day; whether it balances. */
async function day<Tx>(path: string, database: Database<Tx>, transport: Transport): Promise<boolean> {
  const office = await openOffice(database, transport);
  const begin = performance.now();
  const seconds = () => `${((performance.now() - begin) / 1_000).toFixed(1).padStart(5)} s`;
  const prefix = `${Date.now().toString(36)}-`;
  const all = customers(prefix, orders);
  const count = () => office.transaction((tx) => countOutcomes(database.sql(tx), prefix));
  const read = () => office.transaction((tx) => listOutcomes(database.sql(tx), prefix));
  let worker = await openWorker(path);
  try {
    const submitted = submit(office, all);
    await until(async () => await count() >= orders / 3);
    worker.kill("SIGKILL");
    await ended(worker);
    console.log(`${seconds()}  the worker is killed, ${await count()} of ${orders} orders have an outcome`);
    worker = await openWorker(path);
    console.log(`${seconds()}  another goes on`);
    await submitted;
    // When all have an outcome, what was paid in vain may still be on its way back.
    await until(async () => await count() >= orders && unbalanced(all, await read()).length === 0);
    const rows = await read();
    const wrong = unbalanced(all, rows);
    console.log(`${seconds()}  ${wrong.length === 0 ? "every order has its outcome" : "time is over"}\n`);
    console.log(table(all, rows));
    for (const line of wrong.slice(0, 20)) console.log(line);
    console.log(wrong.length === 0 ? "\nit balances to the cent" : `\n${wrong.length} things do not balance`);
    return wrong.length === 0;
  } finally {
    worker.stdin?.end();
    await ended(worker);
    await office.stop();
  }
}

/** Asks until it holds, or patience is over. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + patienceInMs;
  while (!await holds() && performance.now() < end) await pause(200);
}

const folder = mkdtempSync(join(tmpdir(), "hero-orders-"));
try {
  const path = file ?? join(folder, "shop.db");
  const balanced = await at(path, (database, transport) => day(path, database, transport));
  process.exitCode = balanced ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
