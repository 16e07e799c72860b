/** What is due later. @module */
import { type Deadline, type DeadlineClock, Deadlines } from "../../src/values/deadlines.ts";
import type { Clock } from "../../src/spi/clock.ts";

interface Timer {
  readonly time: number;
  readonly run: () => void;
  cancel: (() => void) | undefined;
}

/**
 * The time of a broker that several buses share: that of the one that has been open longest. Its timers move to the next
 * when it closes; while none is open, none is set, and what is due waits for the next that opens.
 */
export class SharedClock implements DeadlineClock {
  readonly #clocks: Clock[] = [];
  readonly #timers = new Set<Timer>();

  /** Epoch milliseconds; nothing is due while no bus is open. */
  now(): number {
    return this.#clocks[0]?.now() ?? Number.NEGATIVE_INFINITY;
  }

  /** As `Clock.at`. What waits in a broker holds up no delivery, so the time is that of the background. */
  at(time: number, run: () => void): () => void {
    const timer: Timer = {
      time,
      run: () => {
        this.#timers.delete(timer);
        run();
      },
      cancel: undefined,
    };
    this.#timers.add(timer);
    this.#set(timer);
    return () => {
      if (this.#timers.delete(timer)) timer.cancel?.();
    };
  }

  /** A bus has opened. */
  join(clock: Clock): void {
    this.#clocks.push(clock);
    if (this.#clocks.length === 1) { for (const timer of [...this.#timers]) this.#set(timer); }
  }

  /** A bus has closed. */
  leave(clock: Clock): void {
    const at = this.#clocks.indexOf(clock);
    if (at === -1) return;
    this.#clocks.splice(at, 1);
    if (at > 0) return;
    for (const timer of [...this.#timers]) {
      timer.cancel?.();
      timer.cancel = undefined;
      this.#set(timer);
    }
  }

  #set(timer: Timer): void {
    const [clock] = this.#clocks;
    timer.cancel = clock === undefined ? undefined : (clock.background ?? clock).at(timer.time, timer.run);
  }
}

/** A message that is due later. */
export interface Delayed {
  /** Puts it where it belongs, as that is then. */
  release(): void;
  /** Whether it would come to this queue, as things are. */
  reaches(queue: string): boolean;
}

/** All that is due later in one broker, on one timer; each can be taken back by its receipt. */
export class Delays {
  readonly #deadlines: Deadlines<readonly [receipt: string, delayed: Delayed]>;
  readonly #waiting = new Map<string, Deadline<readonly [receipt: string, delayed: Delayed]>>();
  #receipts = 0;

  /** @param clock the broker's */
  constructor(clock: DeadlineClock) {
    this.#deadlines = new Deadlines(clock, ([receipt, delayed]) => {
      this.#waiting.delete(receipt);
      delayed.release();
    });
  }

  /** Keeps one until `dueAt` (epoch milliseconds), and gives its receipt. */
  add(dueAt: number, delayed: Delayed): string {
    const receipt = `delayed-${++this.#receipts}`;
    this.#waiting.set(receipt, this.#deadlines.add(dueAt, [receipt, delayed]));
    return receipt;
  }

  /** Takes one back; false: it is gone already. */
  cancel(receipt: string): boolean {
    const deadline = this.#waiting.get(receipt);
    return deadline !== undefined && this.#waiting.delete(receipt) && this.#deadlines.remove(deadline);
  }

  /** How many would come to the queue. */
  count(queue: string): number {
    let count = 0;
    for (const { item: [, delayed] } of this.#waiting.values()) if (delayed.reaches(queue)) count++;
    return count;
  }
}
