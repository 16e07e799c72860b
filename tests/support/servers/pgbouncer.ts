/** PgBouncer for tests: a pooler that shares connections by transaction. */
import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { listens } from "./postgres.ts";

const program = "/usr/sbin/pgbouncer";

/** Whether one can be started here. */
export function canStartPgbouncer(): boolean {
  return existsSync(program);
}

/** A pooler of its own. */
export interface Pgbouncer extends AsyncDisposable {
  /** As in `postgres://postgres@127.0.0.1:6440/postgres`. */
  readonly url: string;
}

/**
 * Starts one before a database, and waits until it listens.
 *
 * @param connections to the database, whoever connects to the pooler
 */
export async function startPgbouncer(port: number, database: URL, connections: number): Promise<Pgbouncer> {
  const directory = mkdtempSync(join(tmpdir(), "hero-pgbouncer-"));
  chmodSync(directory, 0o755);
  const config = join(directory, "pgbouncer.ini");
  const lines = [
    "[databases]",
    `* = host=${database.hostname} port=${database.port}`,
    "[pgbouncer]",
    "listen_addr = 127.0.0.1",
    `listen_port = ${port}`,
    "unix_socket_dir =",
    "auth_type = any",
    "pool_mode = transaction",
    `default_pool_size = ${connections}`,
    "max_client_conn = 200",
    // What drivers say of themselves, and what tests ask for.
    "ignore_startup_parameters = extra_float_digits,options",
  ];
  // A user of its own is the database's, where there is no password.
  lines[1] += ` user=${database.username}`;
  writeFileSync(config, lines.map((line) => `${line}\n`).join(""));
  // It refuses to run as root.
  const asRoot = process.getuid?.() === 0;
  const [command, args] = asRoot
    ? ["/usr/bin/setpriv", ["--reuid=postgres", "--regid=postgres", "--init-groups", program, config]]
    : [program, [config]];
  const child = spawn(command, args as string[], { stdio: "ignore", cwd: directory });
  const end = performance.now() + 20_000;
  while (!await listens(port)) {
    if (performance.now() > end) throw new Error(`PgBouncer does not listen on ${port}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    url: `postgres://${database.username}@127.0.0.1:${port}${database.pathname}`,
    async [Symbol.asyncDispose]() {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await ended;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
