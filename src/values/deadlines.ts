/** Many timeouts on one clock. @module */
import { type Link, LinkedList } from "./linked_list.ts";

/** What deadlines need of a clock: the `Clock` of `src/spi/clock.ts` is one. */
export interface DeadlineClock {
  /** Epoch milliseconds. */
  now(): number;
  /** Runs once, never before `time`. The result cancels. */
  at(time: number, run: () => void): () => void;
}

/** A deadline that was added; taken back with `remove`. */
export type Deadline<T> = Link<T>;

/** The deadlines of one time, in order of creation. */
class Bucket<T> extends LinkedList<T> {
  readonly time: number;
  /** Its place in the heap; −1 once it is out. */
  index = -1;

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
  /** By time, the earliest first; each knows its place. */
  readonly #heap: Bucket<T>[] = [];
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
   * @param time epoch milliseconds
   */
  add(time: number, item: T): Deadline<T> {
    let bucket = this.#buckets.get(time);
    if (bucket === undefined) {
      bucket = new Bucket<T>(time);
      this.#buckets.set(time, bucket);
      this.#rise(bucket, this.#heap.length);
    }
    this.#size++;
    const deadline = bucket.pushBack(item);
    if (time < this.#armedFor) this.#arm(time);
    return deadline;
  }

  /** Takes a deadline back. False if it has expired, or was taken back before. */
  remove(deadline: Deadline<T>): boolean {
    const bucket = deadline.list as Bucket<T> | undefined;
    if (bucket === undefined || !bucket.remove(deadline)) return false;
    this.#size--;
    if (bucket.size === 0 && bucket.index >= 0) this.#drop(bucket);
    if (this.#heap.length === 0) this.#cancelTimer();
    return true;
  }

  /** Takes all back. */
  clear(): void {
    // Item by item, so that a later `remove` of one of them finds that it is out.
    for (const bucket of this.#heap) {
      bucket.index = -1;
      while (bucket.popFront() !== undefined) this.#size--;
    }
    this.#heap.length = 0;
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
    for (let first = this.#heap[0]; first !== undefined && first.time <= now; first = this.#heap[0]) {
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
    const next = this.#heap[0];
    if (next !== undefined && next.time < this.#armedFor) this.#arm(next.time);
    if (failures.length > 0) throw failures[0];
  }

  /** Takes a bucket out of heap and map. */
  #drop(bucket: Bucket<T>): void {
    this.#buckets.delete(bucket.time);
    const hole = bucket.index;
    bucket.index = -1;
    const last = this.#heap.pop();
    if (last === undefined || last === bucket) return;
    const parent = this.#heap[(hole - 1) >> 1];
    if (hole > 0 && parent !== undefined && parent.time > last.time) this.#rise(last, hole);
    else this.#sink(last, hole);
  }

  #rise(bucket: Bucket<T>, hole: number): void {
    while (hole > 0) {
      const above = (hole - 1) >> 1;
      const parent = this.#heap[above];
      if (parent === undefined || parent.time <= bucket.time) break;
      this.#place(parent, hole);
      hole = above;
    }
    this.#place(bucket, hole);
  }

  #sink(bucket: Bucket<T>, hole: number): void {
    for (;;) {
      let below = hole * 2 + 1;
      let child = this.#heap[below];
      const right = this.#heap[below + 1];
      if (child !== undefined && right !== undefined && right.time < child.time) {
        child = right;
        below++;
      }
      if (child === undefined || child.time >= bucket.time) break;
      this.#place(child, hole);
      hole = below;
    }
    this.#place(bucket, hole);
  }

  #place(bucket: Bucket<T>, index: number): void {
    this.#heap[index] = bucket;
    bucket.index = index;
  }
}
