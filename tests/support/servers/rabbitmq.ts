/** RabbitMQ for tests: the one that runs here, and private nodes that may be killed. */
import { execFile, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import process from "node:process";

/** Debian's: the files themselves, as the wrappers in the path change the user. */
const programs = process.env["HERO_RABBITMQ_BIN"] ?? "/usr/lib/rabbitmq/bin";
const program = join(programs, "rabbitmq-server");
const controlProgram = join(programs, "rabbitmqctl");
const startInMs = 90_000;

/** The port that everybody expects it at. */
const standardPort = 5672;
/** Where tests find the broker that they do not start: another one by `HERO_RABBITMQ_PORT`. */
export const usualPort: number = Number(process.env["HERO_RABBITMQ_PORT"] ?? standardPort);
/** Whether that is the one of everybody. */
export const isStandard: boolean = usualPort === standardPort;

/** Where a node listens and what it keeps. */
export interface NodeOptions {
  /** Of AMQP; the one of Erlang's distribution is 20,000 above. */
  readonly port: number;
  /** What it keeps, and its pid; made if it is missing. */
  readonly directory: string;
  /** More lines of its `rabbitmq.conf`. */
  readonly config?: readonly string[];
  /** What it has enabled. Left out: nothing. */
  readonly plugins?: readonly string[];
}

/** A node of its own. */
export interface RabbitmqNode {
  /** As in `amqp://127.0.0.1:5700`. */
  readonly url: string;
  readonly port: number;
  /** Ends it as a power cut would, and waits until it is gone. */
  kill(): Promise<void>;
  /** Starts it again on what it has kept. */
  start(): Promise<void>;
  /** Has its `rabbitmqctl` do something; that takes a second of processor time before it begins. */
  control(...args: readonly string[]): Promise<string>;
  /** Has it evaluate Erlang, as in `rabbit_misc:version().` */
  evaluate(expression: string): Promise<void>;
  /** Above so many bytes, which it always has, or by far not, it takes no messages. */
  limitMemory(toBytes: number): Promise<void>;
  /** Kills it, and takes away what it has kept. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Whether a node can be started here. */
export function canStartRabbitmq(): boolean {
  return existsSync(program);
}

/** Whether something listens on a port of this machine. */
export function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, timeout: 2_000 });
    const end = (result: boolean) => {
      socket.destroy();
      resolve(result);
    };
    socket.once("connect", () => end(true));
    socket.once("timeout", () => end(false));
    socket.once("error", () => end(false));
  });
}

/** Starts a node, and waits until it listens. It outlives this process unless it is killed. */
export async function startRabbitmqNode(options: NodeOptions): Promise<RabbitmqNode> {
  const { port, directory } = options;
  const pidFile = join(directory, "pid");
  const node: RabbitmqNode = {
    url: `amqp://127.0.0.1:${port}`,
    port,
    async start() {
      launch(options, pidFile);
      await until(`RabbitMQ to listen on ${port}`, () => listens(port));
    },
    async kill() {
      const pid = Number(readFileSync(pidFile, "utf8"));
      process.kill(pid, "SIGKILL");
      await until(`RabbitMQ ${pid} to be gone`, async () => !await listens(port) && !alive(pid));
    },
    control(...args) {
      const env = { ...process.env, HOME: directory };
      return new Promise((resolve, reject) => {
        execFile(controlProgram, ["-n", nameOf(port), ...args], { env }, (error, said) => {
          if (error === null) resolve(said);
          else reject(error);
        });
      });
    },
    async evaluate(expression) {
      // Of Erlang itself: where only a chroot has that, the slow way is left.
      const cookie = readFileSync(join(directory, ".erlang.cookie"), "utf8");
      await new Promise<void>((resolve, reject) => {
        const child = execFile("erl_call", ["-name", nameOf(port), "-c", cookie, "-e"], (error, said) => {
          if (error === null && said.startsWith("{ok,")) resolve();
          else if (error?.code === "ENOENT") resolve(node.control("eval", expression).then(() => {}));
          else reject(new Error(`The node answers ${said} to ${expression}`, { cause: error }));
        });
        child.stdin?.end(`${expression}\n`); // by the line, as in a shell
      });
    },
    limitMemory(toBytes) {
      return node.evaluate(`ok = vm_memory_monitor:set_vm_memory_high_watermark({absolute, ${toBytes}}).`);
    },
    async [Symbol.asyncDispose]() {
      if (await listens(port)) await node.kill();
      rmSync(directory, { recursive: true, force: true });
    },
  };
  await node.start();
  return node;
}

/** Ends a node that an earlier run has left, and takes away what it kept; there may be none. */
export async function endRabbitmqNode({ port, directory }: NodeOptions): Promise<void> {
  if (await listens(port)) {
    const pid = Number(readFileSync(join(directory, "pid"), "utf8"));
    process.kill(pid, "SIGKILL");
    await until(`RabbitMQ ${pid} to be gone`, async () => !await listens(port) && !alive(pid));
  }
  rmSync(join(directory, "data"), { recursive: true, force: true });
}

function nameOf(port: number): string {
  return `hero${port}@localhost`;
}

function launch({ port, directory, config: more = [], plugins = [] }: NodeOptions, pidFile: string): void {
  mkdirSync(directory, { recursive: true });
  const config = join(directory, "rabbitmq.conf");
  // Tests share their machine: neither its memory nor its disk is to be watched.
  const lines = [
    `listeners.tcp.1 = 127.0.0.1:${port}`,
    "vm_memory_high_watermark.absolute = 2GB",
    "disk_free_limit.absolute = 50MB",
    ...more,
  ];
  writeFileSync(config, lines.map((line) => `${line}\n`).join(""));
  const enabled = join(directory, "enabled_plugins");
  writeFileSync(enabled, `[${plugins.join(",")}].\n`);
  const child = spawn(program, [], {
    detached: true,
    stdio: "ignore",
    env: {
      ...process.env,
      HOME: directory, // where Erlang keeps its cookie
      RABBITMQ_NODENAME: nameOf(port),
      RABBITMQ_DIST_PORT: String(port + 20_000),
      RABBITMQ_MNESIA_BASE: join(directory, "data"),
      RABBITMQ_LOG_BASE: join(directory, "log"),
      RABBITMQ_CONFIG_FILE: config,
      RABBITMQ_ENABLED_PLUGINS_FILE: enabled,
      RABBITMQ_PID_FILE: pidFile,
      // What a delay's queue had under way when it was killed it sends again; else after three minutes.
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "-rabbit dead_letter_worker_publisher_confirm_timeout 5000",
    },
  });
  child.unref();
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
