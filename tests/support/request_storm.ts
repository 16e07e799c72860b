/** Requests without end, as a service makes them: most are answered, some time out, some are given up. */
import { assertEquals } from "@std/assert";
import { query } from "../../src/contracts/query.ts";
import { RequestTimeoutError } from "../../src/errors/sending.ts";
import { Latch, type Trial } from "./trial.ts";

interface Asked {
  readonly id: number;
}
const Answered = query<Asked, { readonly id: number }>("storm.answered");
const Slow = query<Asked, { readonly id: number }>("storm.slow");

/** How many of a hundred are not answered in time. */
const late = 10;
/** Of those that are answered or given up: what is kept until then is there when memory is looked at. */
const timeout = "1d";

/** Makes requests, a hundred at a time, with one signal that lives as long as all of them. */
export class RequestStorm {
  readonly #trial: Trial;
  readonly #bus: ReturnType<Trial["bus"]>;
  readonly #signal: AbortSignal = new AbortController().signal;
  #latch: Latch = new Latch();
  #asked = 0;
  /** What must not be: less than a pending request takes, kept on purpose to show that it would be seen. */
  readonly leaked: object[] = [];

  constructor(trial: Trial) {
    this.#trial = trial;
    this.#bus = trial.bus();
    this.#bus.endpoint("answered", { concurrency: 100 }).handle(Answered, ({ id }) => ({ id }));
    this.#bus.endpoint("slow", { concurrency: 100 }).handle(Slow, async ({ id }) => {
      await this.#latch.pass();
      return { id };
    });
  }

  async start(): Promise<void> {
    await this.#bus.start();
  }

  /** Makes so many requests, and says how many were answered, timed out and were given up. */
  async run(count: number, leak = false): Promise<{ answered: number; timedOut: number; aborted: number }> {
    const sum = { answered: 0, timedOut: 0, aborted: 0 };
    for (let done = 0; done < count; done += 100) {
      this.#latch = new Latch();
      const asking: Promise<void>[] = [];
      for (let i = 0; i < 100 - 2 * late; i++) {
        const id = this.#asked++;
        const asked = { id };
        if (leak) this.leaked.push({ asked, listener: () => asked, timer: [id, id, id] });
        asking.push(
          this.#bus.request(Answered, asked, { timeout, signal: this.#signal }).then((reply) => {
            assertEquals(reply.id, id);
            sum.answered++;
          }),
        );
      }
      const left = new AbortController();
      for (let i = 0; i < late; i++) {
        const id = this.#asked++;
        asking.push(
          this.#bus.request(Slow, { id }, { timeout: 1000 + i, signal: this.#signal }).then(
            () => {
              throw new Error("It was answered in time");
            },
            (error) => void (sum.timedOut += error instanceof RequestTimeoutError ? 1 : 0),
          ),
          this.#bus.request(Slow, { id }, { timeout, signal: left.signal }).then(() => {}, (error) => {
            sum.aborted += error === left.signal.reason ? 1 : 0;
          }),
        );
      }
      await this.#trial.until("all are being handled", () => this.#latch.arrived === 2 * late);
      left.abort(new RangeError("left"));
      await this.#trial.pass(1000 + late);
      await Promise.all(asking);
      this.#latch.open();
      await this.#trial.settled();
    }
    return sum;
  }
}
