/** A Redis of Debian for the peer, gone with the process. @module */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { listens } from "../../tests/support/servers/rabbitmq.ts";
import type { Requirement } from "../support/figure.ts";

const server = "/usr/bin/redis-server";
const port = 6_399;

/** When what is written is on the disk: within a second, or before it is answered. */
export type Synced = "everysec" | "always";

/** It can be started, or the reason why what needs it is skipped. */
export const redis: Requirement = (): Promise<string | undefined> =>
  Promise.resolve(existsSync(server) ? undefined : "no redis-server; install Debian's: apt-get install redis-server");

/** Starts one with an append-only file; gives its port. */
export async function startRedis(synced: Synced): Promise<number> {
  if (await listens(port)) throw new Error(`Something listens on port ${port} already: end it`);
  const folder = mkdtempSync(join(tmpdir(), "hero-messaging-redis-"));
  const child = spawn(server, [
    ...["--port", String(port), "--bind", "127.0.0.1", "--dir", folder],
    ...["--appendonly", "yes", "--appendfsync", synced, "--save", ""],
  ], { stdio: "ignore" });
  process.on("exit", () => {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });
  for (let tries = 0; tries < 200 && !await listens(port); tries++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return port;
}
