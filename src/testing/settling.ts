/** Lets things happen until nothing more does. @module */
import type { Activity } from "../bus/bus_life.ts";
import { ClosedError } from "../errors/transport.ts";
import { HarnessTimeoutError } from "./errors.ts";
import type { Timeline } from "./timeline.ts";
import { turn } from "./turn.ts";
import type { VirtualClock } from "./virtual_clock.ts";

/** A bus that is to settle. */
export interface Settled {
  readonly name: string;
  readonly activity: Activity;
  /** How many messages wait in a queue. */
  waiting(queue: string): Promise<number>;
}

/** What settling needs. */
export interface SettlingOptions {
  readonly clock: VirtualClock;
  readonly buses: readonly Settled[];
  readonly timeline: Timeline;
}

/** How long one look away counts at the most: while a debugger holds the process, nothing could have happened. */
const longestLookInMs = 50;
const longestPauseInMs = 10;
/** So many turns settle some two million messages; what waits for longer, waits for time to pass. */
const mostTurns = 1000;

/**
 * Lets things happen until nothing more does. That is known, not guessed: after a turn of the event loop all that can go
 * on by itself has gone on, and the buses tell what they still have.
 */
export class Settling {
  readonly #with: SettlingOptions;
  /** Ends the pause under way. */
  #wake: () => void = () => {};
  #closed = false;

  constructor(options: SettlingOptions) {
    this.#with = options;
  }

  /**
   * Resolves when no bus sends, handles or settles anything, or could. Lets the time pass for which deliveries are held.
   *
   * @param timeoutInMs in real time
   * @throws {HarnessTimeoutError} with what does not end
   */
  async settle(timeoutInMs: number): Promise<void> {
    const { clock, timeline } = this.#with;
    const patience = new Patience(timeoutInMs);
    let lenient = false;
    for (let pauseInMs = 1;; pauseInMs = Math.min(pauseInMs * 2, longestPauseInMs)) {
      await turn();
      this.#check();
      const gated = await this.#gated();
      if (gated.length === 0 && !this.#with.buses.some(({ activity }) => isBusy(activity))) return;
      if (patience.isOver) {
        // Where all waits in real time, and a timeout would end it, that has its chance, for as long again.
        const stuck = this.#due(false) === undefined && this.#due(true) !== undefined;
        if (lenient ? patience.isOverAgain : !stuck) {
          throw new HarnessTimeoutError(timeoutInMs, [...this.#unfinished(), ...gated], timeline.toString());
        }
        lenient = true;
      }
      const due = this.#due(lenient);
      if (due !== undefined) await clock.advanceTo(due, turn);
      else await this.#pause(pauseInMs);
    }
  }

  /**
   * Lets time pass, up to and including `time`. Between one timer and the next, all goes as far as it can without real
   * time, and messages go as far as their handlers.
   */
  async advance(time: number, timeoutInMs: number): Promise<void> {
    const step = async () => {
      const patience = new Patience(timeoutInMs);
      await turn();
      while (!this.#closed && !patience.isOver && this.#with.buses.some(({ activity }) => isReading(activity))) {
        await this.#pause(1);
        await turn();
      }
      // What is settled makes room for more, and where there is much of it, takes a turn now and then.
      for (
        let turns = 0;
        turns < mostTurns && this.#with.buses.some(({ activity }) => activity.settling > 0);
        turns++
      ) {
        await turn();
      }
    };
    this.#check();
    await this.#with.clock.advanceTo(time, step);
    await step();
  }

  /** Whoever waits here is told that the harness has been disposed of. */
  close(): void {
    this.#closed = true;
    this.#wake();
  }

  #check(): void {
    if (this.#closed) throw new ClosedError("the test harness");
  }

  /** The next time for which something waits; `undefined`: what goes on goes on in real time. */
  #due(inAnyCase: boolean): number | undefined {
    const { clock, buses } = this.#with;
    const holding = clock.nextHolding();
    const timeout = clock.nextTimeout();
    if (timeout === undefined || (holding !== undefined && holding <= timeout)) return holding;
    // A timeout comes next. A handler that does something in real time must not be cut off by time that is not real.
    const real = buses.some(({ activity }) => activity.running.some(({ at }) => at !== "wait"));
    return real && !inAnyCase ? undefined : timeout;
  }

  /** What waits at the broker because an endpoint asks for nothing. */
  async #gated(): Promise<readonly string[]> {
    const found: string[] = [];
    for (const { activity, waiting } of this.#with.buses) {
      for (const { endpoint, queue, reason } of activity.gated) {
        const count = await waiting(queue);
        if (count > 0) found.push(`"${queue}" has ${messages(count)}, and "${endpoint}" takes none: ${reason}`);
      }
    }
    return found;
  }

  *#unfinished(): Generator<string> {
    const { clock, timeline, buses } = this.#with;
    for (const { name, activity } of buses) {
      for (const { endpoint, type, messageId, attempt, at } of activity.running) {
        const contract = type.split(/[;,]/, 1)[0] ?? "";
        const since = timeline.heldFor(endpoint, messageId);
        const time = since === undefined ? "" : ` for ${Math.round(since)} ms of real time`;
        const waits = at === "wait" ? ", waiting for its next attempt or an answer" : "";
        yield `"${endpoint}" has been handling "${contract}" ${messageId} (attempt ${attempt})${time}${waits}`;
      }
      const waiting = activity.handling - activity.running.length;
      if (waiting > 0) yield `"${name}" has ${messages(waiting)} that wait for their turn, or for being settled`;
      if (activity.sending > 0) yield `"${name}" has ${messages(activity.sending)} on the way to the broker`;
    }
    const timeout = clock.nextTimeout();
    if (timeout !== undefined) yield `the next timeout is due in ${timeout - clock.now()} ms of virtual time`;
  }

  async #pause(inMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, inMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = () => {};
  }
}

function isBusy({ sending, handling }: Activity): boolean {
  return sending > 0 || handling > 0;
}

/** A message has not come to its handlers yet, or is being made: that is the library's own work, and ends. */
function isReading({ running }: Activity): boolean {
  return running.some(({ at }) => at === "pipeline");
}

function messages(count: number): string {
  return count === 1 ? "1 message" : `${count} messages`;
}

/** How long to wait in real time. */
class Patience {
  readonly #limitInMs: number;
  #waitedInMs = 0;
  #lookedAt: number = performance.now();

  constructor(limitInMs: number) {
    this.#limitInMs = limitInMs;
  }

  get isOver(): boolean {
    return this.#look() >= this.#limitInMs;
  }
  /** Twice as long as that. */
  get isOverAgain(): boolean {
    return this.#look() >= 2 * this.#limitInMs;
  }

  #look(): number {
    const now = performance.now();
    this.#waitedInMs += Math.min(now - this.#lookedAt, longestLookInMs);
    this.#lookedAt = now;
    return this.#waitedInMs;
  }
}
