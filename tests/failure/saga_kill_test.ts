/** A process with a saga of ten steps is killed at every point of its way, for real, and started again. */
import { assert, assertEquals } from "@std/assert";
import { type Random, seededRandom } from "../../src/values/random.ts";
import { test } from "../support/runner.ts";
import { share } from "../support/share.ts";
import { start } from "./kill/child.ts";
import { type Bench, databases, withBench } from "./kill/databases.ts";
import { points } from "./kill/killer.ts";

/** Of handlers that write themselves, or of groups of messages: no saga's message passes there. */
const others: ReadonlySet<string> = new Set(["ctx.tx", "written", "savepoint", "savepoint released"]);
/** Where a saga's messages pass. */
const passed = points.filter((point) => !others.has(point));
const steps = 10;
const undone = 4;
/** More than a lease lasts. */
const betweenLivesInMs = 31_000;
const inputsEachTime = 4;

/** One database and one broker, and the processes that lived on them. */
class Campaign {
  readonly #bench: Bench;
  #lives = 0;
  #inputs = 0;

  constructor(bench: Bench) {
    this.#bench = bench;
  }

  /** Lets a process live, on more to do; gives whether it was killed. */
  async live(point: string, times: number): Promise<boolean> {
    const { ledger, ledgerAddress, broker, brokerPath } = this.#bench;
    const life = ++this.#lives;
    broker.addInputs(this.#inputs, inputsEachTime);
    this.#inputs += inputsEachTime;
    const later = ledger.clock === "process" ? life * betweenLivesInMs : 0;
    await ledger.endLeases();
    const child = start("saga_process.ts", [ledgerAddress, brokerPath, point, times, later]);
    child.process.stdout?.on("data", () => {
      if (point === "anywhere") setTimeout(() => child.process.kill("SIGKILL"), times);
    });
    const end = await child.ended;
    assert(end === "SIGKILL" || end === "well", `A process ended otherwise, killed at "${point}": ${end}`);
    return end === "SIGKILL";
  }

  /** Every instance has ended, in the one right way, and each message was sent once. */
  async check(): Promise<void> {
    const { ledger, broker } = this.#bench;
    const inputs = Array.from({ length: this.#inputs }, (_, input) => input);
    const odd = inputs.filter((input) => input % 2 === 1);
    const all = (of: readonly number[], count: number): readonly string[] =>
      of.flatMap((input) => Array.from({ length: count }, (_, at) => `${input}.${at + 1}`)).sort();
    assertEquals(this.#sent("topic:trip.do"), all(inputs, steps));
    assertEquals(this.#sent("topic:trip.done"), all(inputs, steps));
    assertEquals(this.#sent("topic:trip.undo"), all(odd, undone));
    assertEquals(
      this.#bodies("topic:trip.ended").map(({ input, well }) => `${input} ${well}`).sort(),
      inputs.map((input) => `${input} ${input % 2 === 0}`).sort(),
    );
    assertEquals(broker.givenUp(), []);
    // Each beginning, step, report and pause; of a compensation each undo, and what waits for them.
    const handled = inputs.length * (1 + 2 * steps + 1) + odd.length * (undone + 1);
    assertEquals(await ledger.left(), { inbox: handled, outbox: 0, schedules: 0 });
  }

  #sent(to: string): readonly string[] {
    return this.#bodies(to).map(({ input, step }) => `${input}.${step}`).sort();
  }
  /** Twice with one id is one message: whoever gets it knows it. */
  #bodies(to: string): readonly Readonly<Record<string, unknown>>[] {
    const ids = new Map<string, string>();
    for (const each of this.#bench.broker.sent()) if (each.to === to) ids.set(each.messageId, each.body);
    return [...ids.values()].map((body) => JSON.parse(body));
  }
}

/** All points, and from outside, in an order of the seed; claims of what others have left after a commit that left it. */
function order(random: Random): readonly string[] {
  const some = [...passed, "anywhere", "anywhere", "anywhere"].filter((point) => point !== "claimed from the outbox")
    .map((point) => ({ point, place: random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ point }) => point);
  return some.flatMap((point) => point === "committed" ? [point, "claimed from the outbox"] : [point]);
}

const kills = share(100);

for (const database of databases) {
  const name = `${database.name}: a process with a saga that is killed between any two steps, ${kills} times: ` +
    "each instance ends in its one right state, and each message is sent once";
  test(name, async () => {
    const random = seededRandom(20_261_126);
    const killed = new Map<string, number>();
    const total = (): number => [...killed.values()].reduce((sum, each) => sum + each, 0);
    /** How often a process comes to a point, at least: one that lived on had not come there so often. */
    const most = new Map<string, number>();
    for (let campaigns = 1; total() < kills; campaigns++) {
      assert(campaigns <= 2 + kills / 5, `Only ${total()} processes were killed: ${JSON.stringify([...killed])}`);
      await withBench(database, async (bench) => {
        const campaign = new Campaign(bench);
        for (const point of order(random)) {
          if (total() >= kills) break;
          // What is sent again later waits a second each time.
          const seldom = ["roll", "claim", "later"].some((each) => point.startsWith(each));
          const atMost = most.get(point) ?? (seldom ? 1 : 40);
          const times = point === "anywhere" ? Math.floor(random() * 300) : 1 + Math.floor(random() * atMost);
          if (await campaign.live(point, times)) killed.set(point, (killed.get(point) ?? 0) + 1);
          else most.set(point, Math.max(1, times >> 1));
        }
        // Until quiet.
        assertEquals(await campaign.live("", 1), false);
        await campaign.check();
      });
    }
    if (kills < 3 * passed.length) return;
    assertEquals(passed.filter((point) => !killed.has(point)), [], "No process was killed there");
  }, { skip: database.skip, timeoutInMs: 1_800_000 });
}
