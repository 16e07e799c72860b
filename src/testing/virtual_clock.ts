/** Time that passes when a test says so. @module */
import { ConfigurationError } from "../errors/configuration.ts";
import type { Clock } from "../spi/clock.ts";
import { type Duration, milliseconds } from "../values/duration.ts";
import { epochMilliseconds, type Instant } from "../values/instant.ts";
import { Heap, type Heaped, keepPlace } from "../values/heap.ts";

/** 2026-01-01T00:00:00Z: always the same, so that a timeline is, too. */
const defaultStart = Date.UTC(2026, 0, 1);

/** How a {@linkcode VirtualClock} begins. */
export interface VirtualClockOptions {
  /** Left out: 2026-01-01T00:00:00Z. */
  readonly start?: Instant;
}

interface Timer extends Heaped {
  /** Epoch milliseconds. */
  readonly due: number;
  /** Which of two with the same `due` comes first. */
  readonly sequence: number;
  /** Taken away when it fires or is cancelled, so that whoever keeps the timer does not keep what it closes over. */
  run: (() => void) | undefined;
}

/** Whether `a` fires before `b`. */
function isBefore(a: Timer, b: Timer): boolean {
  return a.due < b.due || (a.due === b.due && a.sequence < b.sequence);
}

/**
 * A clock that stands still until it is advanced, and then passes through every timer on the way, in order of time and
 * of creation among those of one instant.
 *
 * A timer set through the clock itself *holds*: something in flight waits for it (a retry's back-off, a handler's own
 * `delay`). One set through {@linkcode VirtualClock.background} does not (a delayed or redelivered message, a schedule),
 * nor does one set through {@linkcode VirtualClock.timeouts} (a handler's or a request's): what it would end may end by
 * itself. All are timers of the same time and fire in one order; only {@linkcode VirtualClock.nextHolding} and
 * {@linkcode VirtualClock.nextTimeout} tell them apart.
 *
 * A timer that is due already, fires at the next advance, also at one to `now()`.
 *
 * @example
 * ```ts
 * import { turn } from "./turn.ts";
 * import { VirtualClock } from "./virtual_clock.ts";
 *
 * const clock = new VirtualClock();
 * const start = clock.now();
 * const waited = clock.delay("1h").then(() => clock.now() - start);
 * await clock.advanceTo(start + 86_400_000, turn);
 * console.log(await waited); // 3600000
 * ```
 */
export class VirtualClock implements Clock {
  /** The same time for waits that hold up no delivery. */
  readonly background: Clock;
  /** The same time for timeouts, which end what should have ended by itself. */
  readonly timeouts: Clock;
  readonly #timeouts: Heap<Timer> = new Heap(isBefore, keepPlace);
  readonly #holding: Heap<Timer> = new Heap(isBefore, keepPlace);
  readonly #background: Heap<Timer> = new Heap(isBefore, keepPlace);
  #now: number;
  #sequence = 0;
  /** The advance under way: the next begins when it has ended, so that timers keep their one order. */
  #advance: Promise<void> = Promise.resolve();

  /**
   * A clock that stands.
   *
   * @throws {InvalidInstantError} if `start` is none
   */
  constructor(options: VirtualClockOptions = {}) {
    this.#now = options.start === undefined ? defaultStart : epochMilliseconds(options.start);
    const view = (queue: Heap<Timer>): Clock => ({
      now: () => this.#now,
      at: (time, run) => this.#at(queue, time, run),
    });
    this.background = view(this.#background);
    this.timeouts = view(this.#timeouts);
  }

  /** Epoch milliseconds. While a timer runs, and until the next does, the time at which it was due. */
  now(): number {
    return this.#now;
  }

  /**
   * Runs `run` once, when the clock is advanced to `time` or beyond. `Infinity` is never.
   *
   * @returns a function that cancels; does nothing once `run` has begun
   * @throws {ConfigurationError} if `time` is not a number
   */
  at(time: number, run: () => void): () => void {
    return this.#at(this.#holding, time, run);
  }

  /** How many timers have neither fired nor been cancelled, of all kinds. */
  get pending(): number {
    return this.#holding.size + this.#background.size + this.#timeouts.size;
  }

  /** When the earliest timer is due that something in flight waits for; `undefined` if there is none. */
  nextHolding(): number | undefined {
    return this.#holding.peek()?.due;
  }

  /** When the earliest timeout is due of something in flight; `undefined` if there is none. */
  nextTimeout(): number | undefined {
    return this.#timeouts.peek()?.due;
  }

  /** When the earliest timer is due, of any kind; `undefined` if there is none. */
  next(): number | undefined {
    return this.#first()?.due;
  }

  /**
   * Lets time pass. Fires what is due up to and including `time`, and what is set meanwhile and due by then, one timer
   * after the other; before the first and after each it awaits `turn`, in which what the timer woke goes as far as it
   * can. Afterwards `now()` is `time`; it never goes back, so an earlier `time` only fires what was due by then.
   * Of several calls, each begins when the one before has ended.
   *
   * @param time epoch milliseconds, finite
   * @param turn resolves when nothing more happens by itself: {@linkcode turn}, or a simulation's own
   * @throws {ConfigurationError} if `time` is not finite; whatever `turn` or a timer throws
   */
  advanceTo(time: number, turn: () => Promise<void>): Promise<void> {
    if (!Number.isFinite(time)) {
      return Promise.reject(
        new ConfigurationError(`Cannot advance a virtual clock to ${time}: give finite epoch milliseconds`),
      );
    }
    const advance = this.#advance.then(() => this.#advanceTo(time, turn));
    this.#advance = advance.catch(() => {}); // the caller is told; the next advance goes on from there
    return advance;
  }

  /**
   * A wait that holds: the handler under test sleeps on virtual time.
   *
   * @param duration milliseconds, or `"250ms"`, `"1.5h"`
   * @returns rejects with the signal's reason if that aborts first
   * @throws {InvalidDurationError} if `duration` is negative or malformed
   */
  delay(duration: Duration, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    const wait = milliseconds(duration);
    const { signal } = options;
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const cancel = this.at(this.#now + wait, () => {
        signal?.removeEventListener("abort", abort);
        resolve();
      });
      const abort = () => {
        cancel();
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", abort, { once: true });
    });
  }

  /**
   * What an operator or NTP does to a wall clock: sets it on, or with a negative number back, at a stroke. Nothing
   * fires; what is overdue then does at the next advance.
   *
   * @param by milliseconds, finite
   * @throws {ConfigurationError} if `by` is not finite
   */
  jump(by: number): void {
    if (!Number.isFinite(by)) {
      throw new ConfigurationError(`Cannot set a virtual clock by ${by}: give finite milliseconds`);
    }
    this.#now += by;
  }

  #at(queue: Heap<Timer>, time: number, run: () => void): () => void {
    if (Number.isNaN(time)) {
      throw new ConfigurationError("Cannot set a timer for NaN: give epoch milliseconds");
    }
    if (time === Infinity) return () => {};
    // What is past counts as due now: among timers that are due it takes its turn, by creation.
    const timer: Timer = { due: Math.max(time, this.#now), sequence: this.#sequence++, run, place: -1 };
    queue.push(timer);
    return () => {
      queue.remove(timer.place);
      timer.run = undefined;
    };
  }

  /**
   * Fires the earliest timer alone, at its time. Not during an advance.
   *
   * @returns false if there is none
   */
  step(): boolean {
    const timer = this.#first();
    if (timer !== undefined) this.#fire(timer);
    return timer !== undefined;
  }

  async #advanceTo(time: number, turn: () => Promise<void>): Promise<void> {
    await turn();
    for (let timer = this.#first(); timer !== undefined && timer.due <= time; timer = this.#first()) {
      this.#fire(timer);
      await turn();
    }
    this.#now = Math.max(this.#now, time);
  }

  #fire(timer: Timer): void {
    for (const queue of [this.#holding, this.#background, this.#timeouts]) {
      if (queue.peek() === timer) queue.pop();
    }
    this.#now = Math.max(this.#now, timer.due);
    const { run } = timer;
    timer.run = undefined;
    run?.();
  }

  #first(): Timer | undefined {
    let first = this.#holding.peek();
    for (const queue of [this.#background, this.#timeouts]) {
      const other = queue.peek();
      if (other !== undefined && (first === undefined || isBefore(other, first))) first = other;
    }
    return first;
  }
}
