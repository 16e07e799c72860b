/** A process is killed at every point of a message's way through inbox and outbox, for real, and started again. */
import { assert, assertEquals } from "@std/assert";
import { type Random, seededRandom } from "../../src/values/random.ts";
import { test } from "../support/runner.ts";
import { share } from "../support/share.ts";
import { start } from "./kill/child.ts";
import { type Bench, databases, withBench } from "./kill/databases.ts";
import { points } from "./kill/killer.ts";

/** The effects that an input has, and the messages that it leads to, by where they go. */
const steps = ["order", "book", "remind"];
const destinations = [
  "topic:kill.bill",
  "topic:kill.enter",
  "topic:kill.receipt",
  "topic:kill.remind",
  "topic:kill.submitted",
];
/** More than a lease lasts. */
const betweenLivesInMs = 31_000;
const inputsEachTime = 6;

/** One database and one broker, and the processes that lived on them. */
class Campaign {
  readonly #bench: Bench;
  #lives = 0;
  #inputs = 0;

  constructor(bench: Bench) {
    this.#bench = bench;
  }

  /**
   * Lets a process live, on more to do; gives whether it was killed.
   *
   * @param point where it kills itself; `anywhere`: it is killed from here, so many milliseconds after it has begun
   */
  async live(point: string, times: number): Promise<boolean> {
    const { ledger, ledgerAddress, broker, brokerPath } = this.#bench;
    const life = ++this.#lives;
    broker.addInputs(this.#inputs, inputsEachTime);
    this.#inputs += inputsEachTime;
    const group = life % 2 === 0 || point.startsWith("savepoint") ? "4" : "";
    const later = ledger.clock === "process" ? life * betweenLivesInMs : 0;
    await ledger.endLeases();
    const options = [ledgerAddress, brokerPath, point, times, later, group];
    const child = start("orders_process.ts", options);
    child.process.stdout?.on("data", () => {
      if (point === "anywhere") setTimeout(() => child.process.kill("SIGKILL"), times);
    });
    const end = await child.ended;
    assert(end === "SIGKILL" || end === "well", `A process ended otherwise, killed at "${point}": ${end}`);
    return end === "SIGKILL";
  }

  /** Nothing was lost, and nothing was done twice. */
  async check(): Promise<void> {
    const { ledger, broker } = this.#bench;
    const effects = await ledger.effects();
    const sent = broker.sent();
    const expected = Array.from({ length: this.#inputs }, (_, input) => input);
    for (const step of steps) {
      const done = effects.filter((each) => each.step === step).map(({ input }) => input).sort((a, b) => a - b);
      assertEquals(done, expected, `The effects "${step}"`);
    }
    assertEquals(effects.length, steps.length * expected.length, "There are effects of nothing");
    for (const to of destinations) {
      // Twice with one id is one message: whoever gets it knows it.
      const ids = new Map<string, string>();
      for (const each of sent) if (each.to === to) ids.set(each.messageId, each.body);
      const inputs = [...ids.values()].map((body) => Number(JSON.parse(body).input)).sort((a, b) => a - b);
      assertEquals(inputs, expected, `The messages to "${to}"`);
    }
    const others = sent.filter(({ to }) => !destinations.includes(to) && to !== "topic:kill.submit");
    assertEquals([others, broker.givenUp()], [[], []]);
    // Orders, bills, books and reminders: what was handled on each endpoint is known there.
    assertEquals(await ledger.left(), { inbox: 4 * expected.length, outbox: 0, schedules: 0 });
  }
}

/** All points, and from outside, in an order of the seed; claims of what others have left after a commit that left it. */
function order(random: Random): readonly string[] {
  const some = [...points, "anywhere", "anywhere"].filter((point) => point !== "claimed from the outbox")
    .map((point) => ({ point, place: random() }))
    .sort((a, b) => a.place - b.place).map(({ point }) => point);
  return some.flatMap((point) => point === "committed" ? [point, "claimed from the outbox"] : [point]);
}

const kills = share(200);

for (const database of databases) {
  const name = `${database.name}: a process that is killed at any point, ${kills} times: ` +
    "each input has one effect and one set of messages";
  test(name, async () => {
    const random = seededRandom(20_261_125);
    const killed = new Map<string, number>();
    const total = (): number => [...killed.values()].reduce((sum, each) => sum + each, 0);
    /** How often a process comes to a point, at least: one that lived on had not come there so often. */
    const most = new Map<string, number>();
    for (let campaigns = 1; total() < kills; campaigns++) {
      assert(campaigns <= 2 + kills / 10, `Only ${total()} processes were killed: ${JSON.stringify([...killed])}`);
      await withBench(database, async (bench) => {
        const campaign = new Campaign(bench);
        for (const point of order(random)) {
          if (total() >= kills) break;
          // What is claimed after a crash comes in one piece, and is asked for seldom where processes are told.
          const usual = point.startsWith("claim") || point.startsWith("later")
            ? 1
            : point.startsWith("roll")
            ? 2
            : inputsEachTime;
          const atMost = most.get(point) ?? usual;
          const times = point === "anywhere" ? Math.floor(random() * 60) : 1 + Math.floor(random() * atMost);
          if (await campaign.live(point, times)) killed.set(point, (killed.get(point) ?? 0) + 1);
          else most.set(point, Math.max(1, times >> 1));
        }
        // Until quiet.
        assertEquals(await campaign.live("", 1), false);
        await campaign.check();
      });
    }
    if (kills < points.length) return;
    const never = points.filter((point) => !killed.has(point));
    assertEquals(never, [], "No process was killed there");
  }, { skip: database.skip, timeoutInMs: 1_200_000 });
}
