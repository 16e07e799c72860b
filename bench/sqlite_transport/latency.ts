/**
 * The 99th percentile from `send` to the handler at 200 jobs a second: `latency.ts one` in one process, `latency.ts two`
 * from one to another.
 *
 * @module
 */
import { spawn } from "node:child_process";
import process from "node:process";
import { commandOf } from "../support/runtimes.ts";
import { runtime } from "../../tests/support/runner.ts";
import { args, finish, scaled } from "../support/program.ts";
import { temporaryFile } from "../support/stores.ts";
import { job, now, startBus, Work } from "./work.ts";

const PER_SECOND = 200;

const [mode = "", given] = args;
const path = given ?? temporaryFile();
const warm = scaled(400);
const all = warm + scaled(2_000);
const latencies: number[] = [];

/** Sends at a steady rate, stamped when it is sent: what a late timer missed is caught up with. */
async function paced(): Promise<void> {
  const bus = await startBus(path, mode === "one" ? handled : undefined);
  const begin = performance.now();
  for (let sent = 0; sent < all;) {
    const due = Math.min(all, Math.ceil((performance.now() - begin) * PER_SECOND / 1_000));
    for (; sent < due; sent++) void bus.send(Work, job(sent));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

function handled({ id, stamp }: { readonly id: number; readonly stamp: number }): void {
  if (id >= warm) latencies.push(now() - stamp);
  if (latencies.length < all - warm) return;
  latencies.sort((a, b) => a - b);
  finish(latencies[Math.floor(latencies.length * 0.99)] ?? NaN);
}

if (mode === "send" || mode === "one") await paced();
else {
  await startBus(path, handled);
  const scale = process.argv.filter((argument) => argument.startsWith("--scale="));
  const [command, ...rest] = commandOf(runtime, { file: new URL(import.meta.url), args: ["send", path, ...scale] });
  const child = spawn(command, rest, { stdio: ["ignore", "ignore", "inherit"] });
  process.on("exit", () => child.kill());
}
