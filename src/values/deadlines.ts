/** Many timeouts on one clock. @module */
import { Heap, type Heaped, keepPlace } from "./heap.ts";
import { type Link, LinkedList } from "./linked_list.ts";

/** What deadlines need of a clock: the `Clock` of `src/spi/clock.ts` is one. */
export interface DeadlineClock {
  /**
   * Epoch milliseconds; or, where it is one of `elapsing`, milliseconds since whenever.
   *
   * @param wall what time it is, if that was just asked
   */
  now(wall?: number): number;
  /** Runs once, never before `time`. The result cancels. */
  at(time: number, run: () => void): () => void;
}

/** A deadline that was added; taken back with `remove`. */
export type Deadline<T> = Link<T>;

/** The deadlines of one time, in order of creation. */
class Bucket<T> extends LinkedList<T> implements Heaped {
  readonly time: number;
  place = -1;

  constructor(time: number) {
    super();
    this.time = time;
  }
}

/**
 * Many timeouts that share one timer of the clock: a timer each would cost more than most of what they guard. Adding
 * and removing take constant time, but for the first and last of a millisecond, which take the logarithm of the number
 * of different times that wait. What is removed is not kept, and when nothing waits, no timer is set.
 */
export class Deadlines<T> {
  readonly #clock: DeadlineClock;
  readonly #expired: (item: T) => void;
  readonly #buckets = new Map<number, Bucket<T>>();
  readonly #heap = new Heap<Bucket<T>>((a, b) => a.time < b.time, keepPlace);
  #size = 0;
  /** When the timer goes off; it may be too early, when what it was set for has been removed. */
  #armedFor = Infinity;
  #disarm: (() => void) | undefined;

  /**
   * Without any deadline, and so without a timer.
   *
   * @param clock whose time counts
   * @param expired called for each item whose time has come, in order of time, then of adding; never early. May add and
   * remove. What it throws is thrown on to the clock after the others had their turn
   */
  constructor(clock: DeadlineClock, expired: (item: T) => void) {
    this.#clock = clock;
    this.#expired = expired;
  }

  /** How many wait. */
  get size(): number {
    return this.#size;
  }

  /**
   * Adds a deadline. One that is past expires soon, not within the call.
   *
   * @param time by the clock
   */
  add(time: number, item: T): Deadline<T> {
    let bucket = this.#buckets.get(time);
    if (bucket === undefined) {
      bucket = new Bucket<T>(time);
      this.#buckets.set(time, bucket);
      this.#heap.push(bucket);
    }
    this.#size++;
    const deadline = bucket.pushBack(item);
    if (time < this.#armedFor) this.#arm(time);
    return deadline;
  }

  /**
   * The same, so many milliseconds from now on.
   *
   * @param wall what time it is, if that was just asked
   */
  after(inMs: number, item: T, wall?: number): Deadline<T> {
    return this.add(this.#clock.now(wall) + inMs, item);
  }

  /** Takes a deadline back. False if it has expired, or was taken back before. */
  remove(deadline: Deadline<T>): boolean {
    const bucket = deadline.list as Bucket<T> | undefined;
    if (bucket === undefined || !bucket.remove(deadline)) return false;
    this.#size--;
    if (bucket.size === 0 && bucket.place >= 0) this.#drop(bucket);
    if (this.#heap.size === 0) this.#cancelTimer();
    return true;
  }

  /** Takes all back. */
  clear(): void {
    // Item by item, so that a later `remove` of one of them finds that it is out.
    for (let bucket = this.#heap.pop(); bucket !== undefined; bucket = this.#heap.pop()) {
      while (bucket.popFront() !== undefined) this.#size--;
    }
    this.#buckets.clear();
    this.#cancelTimer();
  }

  #arm(time: number): void {
    this.#disarm?.();
    this.#armedFor = time;
    this.#disarm = this.#clock.at(time, () => this.#expire());
  }

  #cancelTimer(): void {
    this.#disarm?.();
    this.#disarm = undefined;
    this.#armedFor = Infinity;
  }

  #expire(): void {
    this.#cancelTimer();
    const now = this.#clock.now();
    // Taken out first: what `expired` adds waits for its own turn, even if it is past.
    const due: Bucket<T>[] = [];
    for (let first = this.#heap.peek(); first !== undefined && first.time <= now; first = this.#heap.peek()) {
      this.#drop(first);
      due.push(first);
    }
    const failures: unknown[] = [];
    for (const bucket of due) {
      for (let deadline = bucket.popFront(); deadline !== undefined; deadline = bucket.popFront()) {
        this.#size--;
        try {
          this.#expired(deadline.item);
        } catch (error) {
          failures.push(error);
        }
      }
    }
    const next = this.#heap.peek();
    if (next !== undefined && next.time < this.#armedFor) this.#arm(next.time);
    if (failures.length > 0) throw failures[0];
  }

  /** Takes a bucket out of heap and map. */
  #drop(bucket: Bucket<T>): void {
    this.#buckets.delete(bucket.time);
    this.#heap.remove(bucket.place);
  }
}
