/** Queues and store in one database: processes are killed and stand still, and every input has each effect once. */
import { assert, assertEquals } from "@std/assert";
import { type Bus, createBus } from "../../mod.ts";
import { seededRandom } from "../../src/values/random.ts";
import { eventually, realTime } from "../conformance/test_clock.ts";
import { test } from "../support/runner.ts";
import { share } from "../support/share.ts";
import { type Child, start } from "./kill/child.ts";
import { type Database, databases, withLedger } from "./kill/databases.ts";
import { onePoints } from "./kill/killer.ts";
import type { Ledger } from "./kill/ledger.ts";
import { handleAll, steps, Submit } from "./kill/one_database_service.ts";
import { type Queues, queuesBeside } from "./kill/queues_beside.ts";

const inputsEachTime = 8;
const endpoints = ["orders", "bills", "books", "relay", "ends", "passes", "copies"];

/** One database, and this process' own bus on it. */
class Bench {
  readonly address: string;
  readonly #ledger: Ledger<unknown>;
  readonly #queues: Queues;
  readonly #bus: Bus<unknown>;
  #inputs = 0;

  constructor(address: string, ledger: Ledger<unknown>, queues: Queues) {
    this.address = address;
    this.#ledger = ledger;
    this.#queues = queues;
    const store = ledger.store();
    this.#bus = createBus({ name: "orders", store, transport: queues.given(store, { lease: "1s" }) });
    handleAll(this.#bus, ledger, () => {});
  }

  /** Makes the tables, and counts from then on what is put into the outbox. */
  async open(): Promise<void> {
    await this.#bus.start();
    for (const endpoint of endpoints) await this.#bus.pause(endpoint);
    await this.#queues.watchOutbox();
  }

  /** Puts more in. */
  async feed(count: number): Promise<void> {
    const inputs = Array.from({ length: count }, (_, at) => this.#inputs + at);
    this.#inputs += count;
    await Promise.all(inputs.map((input) => this.#bus.send(Submit, { input }, { messageId: `input ${input}` })));
  }

  /** Lets this process handle, too. */
  async help(): Promise<void> {
    for (const endpoint of endpoints) await this.#bus.resume(endpoint);
  }

  /** What was held ten times by processes that were killed is taken for their reason: an operator puts it back. */
  async #putBack(): Promise<void> {
    for (const endpoint of endpoints) {
      for await (const { reason } of this.#bus.errors(endpoint).list()) assertEquals(reason, "limit");
      await this.#bus.errors(endpoint).requeue("all");
    }
  }

  /** Waits until nothing is left to do. */
  async quiet(): Promise<void> {
    const rows = "hero_queue_message_overview";
    for (let left = 1; left > 0; left = await this.#queues.count(rows)) {
      let busy = 1;
      await eventually(realTime(), "the rest", () => {
        void this.#queues.count(`${rows} WHERE queue NOT LIKE '%_error'`).then((count) => busy = count, () => {});
        return busy === 0;
      }, 120_000);
      await this.#putBack();
    }
  }

  /** The effects that there are of a step, in order of the inputs. */
  async effects(step: string): Promise<readonly number[]> {
    const all = await this.#ledger.effects();
    return all.filter((each) => each.step === step).map(({ input }) => input).sort((a, b) => a - b);
  }

  /** Nothing was lost, nothing was done twice, and nothing took a detour. */
  async check(): Promise<void> {
    const expected = Array.from({ length: this.#inputs }, (_, input) => input);
    for (const step of steps) assertEquals(await this.effects(step), expected, `The effects "${step}"`);
    assertEquals(await this.#queues.count("hops"), 0);
    assertEquals(await this.#ledger.left(), { inbox: endpoints.length * expected.length, outbox: 0, schedules: 0 });
  }

  async close(): Promise<void> {
    await this.#bus.stop();
    await this.#queues.close();
  }
}

function onOneDatabase(
  database: Database,
  name: string,
  timeoutInMs: number,
  run: (bench: Bench) => Promise<void>,
): void {
  test(`${database.name}: ${name}`, () =>
    withLedger(database, async (address, ledger) => {
      const bench = new Bench(address, ledger, await queuesBeside(address));
      try {
        await bench.open();
        await run(bench);
      } finally {
        await bench.close();
      }
    }), { skip: database.skip, timeoutInMs });
}

const kills = share(200);

for (const database of databases) {
  onOneDatabase(
    database,
    `with queues and store in one, processes are killed ${kills} times, at every point and anywhere: ` +
      "each input has each effect once, and nothing takes the hop through the outbox",
    1_200_000,
    async (bench) => {
      const random = seededRandom(20_261_126);
      const running = new Set<Child>();
      const killed = new Map<string, number>();
      let lives = 0;
      const live = async (): Promise<void> => {
        const at = lives++;
        const point = [...onePoints, "anywhere"][at % (onePoints.length + 1)] ?? "anywhere";
        await bench.feed(inputsEachTime);
        const child = start("one_database_process.ts", [bench.address, point, 1 + Math.floor(random() * 6)]);
        running.add(child);
        if (point === "anywhere") {
          child.process.stdout?.once("data", () => setTimeout(() => child.process.kill("SIGKILL"), random() * 200));
        }
        assertEquals(await child.ended, "SIGKILL", `The process that was to be killed at "${point}"`);
        running.delete(child);
        killed.set(point, (killed.get(point) ?? 0) + 1);
      };
      const lane = async (): Promise<void> => {
        while (lives < kills) await live();
      };
      try {
        await Promise.all([lane(), lane()]);
        await bench.help();
        await bench.quiet();
      } finally {
        for (const { process } of running) process.kill("SIGKILL");
      }
      await bench.check();
      if (kills > onePoints.length) assertEquals(onePoints.filter((point) => !killed.has(point)), []);
    },
  );

  for (const [stall, how] of [["stall", "goes on without a look"], ["listen", "goes on although its signal says so"]]) {
    onOneDatabase(
      database,
      `a handler that stands still for longer than its lease, and ${how}, commits nothing: ` +
        "another process has handled the message",
      240_000,
      async (bench) => {
        const child = start("one_database_process.ts", [bench.address, "", 1, stall ?? ""]);
        const said: string[] = [];
        child.process.stdout?.setEncoding("utf8").on("data", (text: string) => said.push(...text.trim().split("\n")));
        try {
          await eventually(realTime(), "the other process", () => said.includes("ready"), 60_000);
          await bench.feed(1);
          await eventually(realTime(), "the stall", () => said.includes("stalls"), 60_000);
          await bench.help();
          let effects: readonly number[] = [];
          await eventually(realTime(), "the effect", () => {
            void bench.effects("order").then((found) => effects = found, () => {});
            return effects.length > 0;
          }, 60_000);
          // It hears first that the message is gone, or that it has been handled.
          const over = (): boolean => said.includes("lost") || said.includes("duplicate");
          assert(!over(), "It was to stand still until another had handled its message");
          await eventually(realTime(), "what becomes of the late run", over, 60_000);
          if (stall === "listen") {
            assertEquals(said.filter((word) => word.startsWith("aborted")), ["aborted: true"]);
            assert(said.indexOf("aborted: true") < said.length - 1);
          }
          await bench.quiet();
          await bench.check();
          assertEquals(said.filter((word) => word === "faulted"), []);
        } finally {
          child.process.kill("SIGKILL");
          await child.ended;
        }
      },
    );
  }
}
