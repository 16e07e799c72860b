/** How long nothing else of the process gets its turn while another process holds the lock, at worst. @module */
import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { commandOf } from "../support/runtimes.ts";
import { finish, scaled } from "../support/program.ts";
import { temporaryFile } from "../support/stores.ts";
import { place, startConsumer } from "./consumer.ts";

const path = temporaryFile();
let confirmed = 0;
const bus = await startConsumer({ path, synchronous: "normal", concurrency: 64, group: 1 }, () => void confirmed++);

/** Publishes one a millisecond for some time; gives the longest time between two turns. */
async function run(ms: number): Promise<number> {
  const end = performance.now() + ms;
  let worst = 0;
  for (let last = performance.now(); last < end;) {
    void place(bus);
    await new Promise((resolve) => setTimeout(resolve, 1));
    const now = performance.now();
    worst = Math.max(worst, now - last - 1);
    last = now;
  }
  return worst;
}

await run(scaled(1000));
const [command, ...rest] = commandOf(process.versions["deno"] ? "deno" : process.versions["bun"] ? "bun" : "node", {
  file: new URL("./hold.ts", import.meta.url),
  args: [path],
});
const holder = spawn(command, rest, { stdio: ["ignore", "pipe", "inherit"] });
process.on("exit", () => holder.kill("SIGKILL"));
await once(holder.stdout, "data");
confirmed = 0;
const worst = await run(scaled(10_000));
if (confirmed === 0) throw new Error("Nothing was written while the other process came and went");
finish(worst);
