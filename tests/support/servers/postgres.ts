/** PostgreSQL for tests: the one that runs here, and private clusters that may be killed. */
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { listens } from "./rabbitmq.ts";

export { listens };

/** Debian's, a folder for each major version. */
const versions = "/usr/lib/postgresql";
const startInMs = 60_000;

/** The port that everybody expects it at. */
export const usualPort = 5432;

/** Where a cluster listens and what it keeps. */
export interface ClusterOptions {
  readonly port: number;
  /** What it keeps; made if it is missing. */
  readonly directory: string;
  /** Beside those that make it quick to start: `max_connections=20`. */
  readonly settings?: readonly string[];
}

/** A cluster of its own. */
export interface PostgresCluster {
  /** As in `postgres://postgres@127.0.0.1:5500/postgres`: a superuser, without a password. */
  readonly url: string;
  readonly port: number;
  /** Ends it as a power cut would, and waits until it is gone. */
  kill(): Promise<void>;
  /** Starts it again on what it has kept. */
  start(): Promise<void>;
  /** Kills it, and takes away what it has kept. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Whether a cluster can be started here. */
export function canStartPostgres(): boolean {
  return programs() !== undefined;
}

/** Starts a cluster, and waits until it answers. It outlives this process unless it is killed. */
export async function startPostgresCluster(options: ClusterOptions): Promise<PostgresCluster> {
  const { port, directory } = options;
  const bin = programs();
  if (bin === undefined) {
    throw new Error(`There is no PostgreSQL in ${versions}: install Debian's package "postgresql"`);
  }
  const data = join(directory, "data");
  const cluster: PostgresCluster = {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    port,
    async start() {
      make(bin, directory, data);
      // Processes of the one that was killed may still hold its memory: then it ends at once, and is tried again.
      let running = false;
      await until(`PostgreSQL to answer on ${port}`, async () => {
        // It listens before it has recovered.
        if (await listens(port)) return answers(bin, port);
        if (!running) {
          running = true;
          launch(bin, data, options, () => running = false);
        }
        return false;
      });
    },
    async kill() {
      const [first] = readFileSync(join(data, "postmaster.pid"), "utf8").split("\n");
      const pid = Number(first);
      process.kill(pid, "SIGKILL");
      await until(`PostgreSQL ${pid} to be gone`, async () => !alive(pid) && !await listens(port));
    },
    async [Symbol.asyncDispose]() {
      if (await listens(port)) await cluster.kill();
      rmSync(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    },
  };
  await cluster.start();
  return cluster;
}

function programs(): string | undefined {
  if (!existsSync(versions)) return undefined;
  const [newest] = readdirSync(versions).map(Number).filter((each) => each > 0).sort((a, b) => b - a);
  const found = join(versions, String(newest), "bin");
  return existsSync(join(found, "postgres")) ? found : undefined;
}

/** It refuses to run as root, so the package's user has to. */
function command(program: string, args: readonly string[]): readonly [program: string, args: string[]] {
  if (process.getuid?.() !== 0) return [program, [...args]];
  return ["/usr/bin/setpriv", ["--reuid=postgres", "--regid=postgres", "--init-groups", program, ...args]];
}

function make(bin: string, directory: string, data: string): void {
  if (existsSync(join(data, "PG_VERSION"))) return;
  mkdirSync(data, { recursive: true, mode: 0o700 });
  if (process.getuid?.() === 0) {
    const id = (flag: string) => Number(spawnSync("id", [flag, "postgres"]).stdout.toString());
    const [user, group] = [id("-u"), id("-g")];
    for (const each of [directory, data]) chownSync(each, user, group);
  }
  chmodSync(data, 0o700);
  const init = ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"];
  const { status, stderr } = spawnSync(...command(join(bin, "initdb"), init), { cwd: directory });
  if (status !== 0) throw new Error(`initdb failed: ${stderr}`);
}

function launch(bin: string, data: string, { port, settings = [] }: ClusterOptions, ended: () => void): void {
  const all = [
    `port=${port}`,
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "max_connections=200",
    "shared_buffers=128MB",
    ...settings,
  ];
  const args = ["-D", data, ...all.flatMap((setting) => ["-c", setting])];
  const child = spawn(...command(join(bin, "postgres"), args), { cwd: data, detached: true, stdio: "ignore" });
  child.once("exit", ended);
  child.unref();
}

function answers(bin: string, port: number): boolean {
  return spawnSync(join(bin, "pg_isready"), ["-q", "-h", "127.0.0.1", "-p", String(port)]).status === 0;
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Looks again and again; what waits here is another process, so real time passes. */
async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + startInMs;
  while (!await holds()) {
    if (performance.now() > end) throw new Error(`Waited ${startInMs} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
