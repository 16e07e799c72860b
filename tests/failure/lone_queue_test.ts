/** Queues by path or URL, with no store: senders and receivers are killed, and no message is lost. */
import { assert, assertEquals } from "@std/assert";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Bus, createBus } from "../../mod.ts";
import { seededRandom } from "../../src/values/random.ts";
import { eventually, realTime } from "../conformance/test_clock.ts";
import { test } from "../support/runner.ts";
import { share } from "../support/share.ts";
import { type Child, start } from "./kill/child.ts";
import { type Database, databases, withLedger } from "./kill/databases.ts";
import { lonePoints } from "./kill/killer.ts";
import { Keyed, sendWork, Work } from "./kill/lone_queue_service.ts";
import { type Queues, queuesBeside } from "./kill/queues_beside.ts";

/** The queues of a database, processes on them, and the lines that these have written. */
class Bench {
  readonly queues: Queues;
  readonly #address: string;
  readonly #ledger: string;
  readonly #running = new Set<Child>();

  constructor(address: string, queues: Queues, folder: string) {
    this.#address = address;
    this.queues = queues;
    this.#ledger = join(folder, "ledger");
    writeFileSync(this.#ledger, "");
  }

  begin(doing: string, name: string, point = "", times = 1): Child {
    const child = start("lone_queue_process.ts", [this.#address, this.#ledger, doing, name, point, times]);
    this.#running.add(child);
    void child.ended.finally(() => this.#running.delete(child)).catch(() => {});
    return child;
  }
  readonly note = (...words: readonly string[]): void => appendFileSync(this.#ledger, `${words.join(" ")}\n`);

  get lines(): readonly string[] {
    return readFileSync(this.#ledger, "utf8").split("\n").slice(0, -1);
  }
  /** What follows a word in the ledger. */
  noted(word: string): readonly string[] {
    return this.lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1));
  }
  async said(line: string): Promise<void> {
    await eventually(realTime(), line, () => this.lines.includes(line), 60_000);
  }
  async end(): Promise<void> {
    const running = [...this.#running];
    for (const { process } of running) process.kill("SIGKILL");
    await Promise.all(running.map(({ ended }) => ended));
  }
}

/** Registers a test with a bus of this process' own, which has started and whose endpoint is made by `prepare`. */
function onQueues(
  database: Database,
  claim: string,
  lease: "1s" | "3s",
  prepare: (bus: Bus, bench: Bench) => void,
  run: (bench: Bench, bus: Bus) => Promise<void>,
): void {
  test(`${database.name}, queues alone: ${claim}`, () =>
    withLedger(database, async (address, _, folder) => {
      const queues = await queuesBeside(address);
      const bench = new Bench(address, queues, folder);
      const bus = createBus({ name: "lone", transport: queues.alone({ lease }) });
      prepare(bus, bench);
      try {
        await bus.start();
        await run(bench, bus);
      } finally {
        await bench.end();
        await bus.stop({ deadline: "1s" });
        await queues.close();
      }
    }), { skip: database.skip, timeoutInMs: 1_200_000 });
}

/** What waits, and what is being handled. */
const messages = "hero_queue_message_overview";

/** Waits until all is handled. What was held ten times by processes that were killed, an operator puts back. */
async function quiet(bench: Bench, bus: Bus): Promise<void> {
  for (let left = 1; left > 0; left = await bench.queues.count(messages)) {
    await untilLeft(bench, 0, "queue NOT LIKE '%_error'");
    for await (const { reason } of bus.errors("work").list()) assertEquals(reason, "limit");
    await bus.errors("work").requeue("all");
  }
}

/** Waits until there are so many messages. */
async function untilLeft({ queues }: Bench, count: number, where: string): Promise<void> {
  let left: number | undefined;
  await eventually(realTime(), `${count} messages are left`, () => {
    void queues.count(`${messages} WHERE ${where}`).then((found) => left = found, () => {});
    return left === count;
  }, 120_000);
}

const kills = share(200);

for (const database of databases) {
  onQueues(
    database,
    `senders and receivers are killed ${kills} times, at every point and anywhere: what a sender was told is sent, is handled`,
    "1s",
    (bus, { note }) => bus.endpoint("work").handle(Work, ({ id }) => note("handled", id)),
    async (bench, bus) => {
      const random = seededRandom(20_261_127);
      const killed = new Set<string>();
      const ways = [
        ...lonePoints.send.map((point) => ["send", point] as const),
        ...lonePoints.take.map((point) => ["take", point] as const),
        ["send", "anywhere"] as const,
        ["take", "anywhere"] as const,
      ];
      await bus.pause("work");
      let lives = 0;
      const live = async (): Promise<void> => {
        const at = lives++;
        const [doing, point] = ways[at % ways.length]!; // the remainder is one of them
        // So that there is enough to take, whatever others have taken.
        if (doing === "take") {
          await Promise.all([0, 1, 2, 3, 4, 5, 6, 7].map((nth) => sendWork(bus, `own${at}-${nth}`, bench.note)));
        }
        const child = bench.begin(doing, `p${at}`, point, 1 + Math.floor(random() * 4));
        if (point === "anywhere") {
          child.process.stdout?.once("data", () => setTimeout(() => child.process.kill("SIGKILL"), random() * 100));
        }
        assertEquals(await child.ended, "SIGKILL", `The process that was to be killed at "${doing}: ${point}"`);
        killed.add(`${doing}: ${point}`);
      };
      const lane = async (): Promise<void> => {
        while (lives < kills) await live();
      };
      await Promise.all([lane(), lane()]);
      await bus.resume("work");
      await quiet(bench, bus);
      const [sending, sent, handled] = ["sending", "sent", "handled"].map((word) => new Set(bench.noted(word)));
      assert(sending !== undefined && sent !== undefined && handled !== undefined);
      assertEquals([...sent].filter((id) => !handled.has(id)), [], "These were lost");
      assertEquals([...handled].filter((id) => !sending.has(id)), [], "Nobody has sent these");
      if (kills >= ways.length) assertEquals(killed.size, ways.length);
    },
  );

  onQueues(
    database,
    "a process that holds a key is killed: the next of the key come after it, in order, and others meanwhile",
    "3s",
    (bus) => void bus.endpoint("keys", { order: "key" }).handle(Keyed, () => {}),
    async (bench, bus) => {
      await bus.pause("keys");
      const send = async (key: string, from: number, to: number): Promise<void> => {
        for (let number = from; number < to; number++) await bus.send(Keyed, { key, number });
      };
      const victim = bench.begin("hold", "victim");
      await bench.said("ready victim");
      await send("held", 0, 5);
      await bench.said("begins held 0 victim");
      bench.begin("keys", "heir");
      await bench.said("ready heir");
      const others = async (from: number, to: number): Promise<void> => {
        await send("free", from, to);
        await eventually(
          realTime(),
          "the others",
          () => bench.noted("ends").filter((line) => line.startsWith("free ")).length >= to,
          60_000,
        );
      };
      await others(0, 5);
      // Whoever holds the key is alive: nothing of it has come to the other, which has nothing else to do.
      assertEquals(bench.lines.filter((line) => line.includes(" held ")), ["begins held 0 victim"]);
      // What has ended, and of which the queue has not heard when its process is killed, would come once more.
      await untilLeft(bench, 5, "queue = 'keys'");
      victim.process.kill("SIGKILL");
      assertEquals(await victim.ended, "SIGKILL");
      await others(5, 10);
      await bench.said("ends held 4 heir");
      const of = (key: string): readonly string[] =>
        bench.lines.filter((line) => line.includes(` ${key} `)).map((line) => line.replace(/ \w+$/, ""));
      const inOrder = (key: string, count: number): readonly string[] =>
        Array.from({ length: count }, (_, at) => [`begins ${key} ${at}`, `ends ${key} ${at}`]).flat();
      assertEquals(of("held"), ["begins held 0", ...inOrder("held", 5)]);
      assertEquals(of("free"), inOrder("free", 10));
    },
  );
}
