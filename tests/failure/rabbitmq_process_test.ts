/** A consumer's process is killed with messages unacknowledged, again and again: each input has its effect. */
import { assert, assertEquals } from "@std/assert";
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { command, createBus } from "../../mod.ts";
import { seededRandom } from "../../src/values/random.ts";
import { rabbitmq } from "../../transports/rabbitmq/mod.ts";
import { runtime, test } from "../support/runner.ts";
import { runtimeCommand } from "../support/runtimes.ts";
import { share } from "../support/share.ts";
import { raw, skip, url } from "../transports/rabbitmq/broker.ts";

const program = fileURLToPath(new URL("rabbitmq/consumer_process.ts", import.meta.url));
const [executable, ...first] = runtimeCommand(runtime);
const flags = runtime === "deno" ? ["run", "-A", "--no-check"] : [];
const campaigns = share(10);
const inputs = 1_000;
/** Fewer than the deliveries after which a message is given up. */
const kills = 4;
const patienceInMs = 60_000;
const Work = command<{ readonly input: number }>("kill.work");
const run = Math.floor(performance.timeOrigin + performance.now()).toString(36);

/** A life of the process: calls `handled` with each input that it says, and resolves when it has ended. */
class Life {
  readonly #child: ChildProcess;
  readonly ready: Promise<void>;
  readonly ended: Promise<string>;

  constructor(prefix: string, handled: (input: number) => void) {
    this.#child = spawn(executable, [...first, ...flags, program, url, prefix], { stdio: ["pipe", "pipe", "pipe"] });
    const { stdout, stderr } = this.#child;
    let errors = "";
    stderr?.setEncoding("utf8").on("data", (text: string) => errors += text);
    const ready = Promise.withResolvers<void>();
    this.ready = ready.promise;
    let rest = "";
    stdout?.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (line === "ready") ready.resolve();
        else handled(Number(line));
      }
    });
    this.ended = new Promise((resolve, reject) => {
      this.#child.on("error", reject);
      this.#child.on("close", (status, signal) => {
        ready.reject(new Error(`It ended before it was ready: ${errors}`));
        resolve(signal ?? `${status} ${errors}`);
      });
    });
    this.ready.catch(() => {});
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
  /** Lets it stop by itself. */
  finish(): void {
    this.#child.stdin?.end();
  }
}

async function within<Result>(what: string, promise: Promise<Result>): Promise<Result> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Waited ${patienceInMs} ms in vain for ${what}`)), patienceInMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

test(
  `rabbitmq: a consumer's process that is killed with messages unacknowledged, ${
    campaigns * kills
  } times: none is lost`,
  async () => {
    const random = seededRandom(20_261_126);
    let twice = 0;
    for (let campaign = 0; campaign < campaigns; campaign++) {
      const prefix = `kill-${run}-${campaign}-`;
      const transport = rabbitmq(url);
      const made = new Set<string>();
      const deploy = transport.deploy.bind(transport);
      transport.deploy = (topology, mode) => {
        for (const { name } of [...topology.queues, ...topology.topics]) made.add(name);
        return deploy(topology, mode);
      };
      const bus = createBus({ name: "worker", transport, prefix });
      bus.endpoint("work").handle(Work, () => {}); // so that its queue is there; this one takes nothing
      const handled = new Map<number, number>();
      let sinceStart = 0;
      let enough: { readonly count: number; readonly tell: () => void } | undefined;
      const note = (input: number): void => {
        handled.set(input, (handled.get(input) ?? 0) + 1);
        sinceStart++;
        if (enough !== undefined && sinceStart >= enough.count) enough.tell();
      };
      try {
        await bus.start();
        await bus.pause("work");
        await Promise.all(Array.from({ length: inputs }, (_, input) => bus.send(Work, { input })));
        for (let kill = 0; kill < kills; kill++) {
          sinceStart = 0;
          const reached = Promise.withResolvers<void>();
          enough = { count: 1 + Math.floor(random() * 150), tell: reached.resolve };
          const life = new Life(prefix, note);
          await within("the process", Promise.race([reached.promise, life.ended]));
          life.kill();
          assertEquals(await within("its end", life.ended), "SIGKILL");
        }
        enough = undefined;
        const life = new Life(prefix, note);
        await within("the process", life.ready);
        const end = performance.now() + patienceInMs;
        while (handled.size < inputs) {
          assert(performance.now() < end, `Only ${handled.size} of ${inputs} were ever handled`);
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        life.finish();
        assertEquals(await within("its end", life.ended), "0 ");
        const { waiting, failed } = await bus.counts("work");
        assertEquals({ waiting, failed }, { waiting: 0, failed: 0 });
        twice += [...handled.values()].filter((times) => times > 1).length;
      } finally {
        await bus.stop({ deadline: "2s" });
        await raw(async (channel) => {
          for (const name of made) {
            await channel.deleteQueue(name);
            await channel.deleteExchange(name);
          }
        });
      }
    }
    console.log(`${twice} of ${campaigns * inputs} were handled more than once`);
  },
  { skip, timeoutInMs: 1_200_000 },
);
