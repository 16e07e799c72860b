/** The timers of a virtual clock, by time and then by creation. @module */

/** A timer in a {@linkcode TimerQueue}. */
export interface Timer {
  /** Epoch milliseconds. */
  readonly due: number;
  /** Which of two with the same `due` comes first. */
  readonly sequence: number;
  /** Taken away when it fires or is cancelled, so that whoever keeps the timer does not keep what it closes over. */
  run: (() => void) | undefined;
  /** Where it is in the heap; -1 once it is out. */
  index: number;
}

/** Whether `a` fires before `b`. */
export function isBefore(a: Timer, b: Timer): boolean {
  return a.due < b.due || (a.due === b.due && a.sequence < b.sequence);
}

/** A binary heap whose timers know their places: adding, taking and removing any of n costs log n and leaves nothing. */
export class TimerQueue {
  readonly #heap: Timer[] = [];

  /** How many there are. */
  get size(): number {
    return this.#heap.length;
  }

  /** The one that fires first, left in its place. */
  first(): Timer | undefined {
    return this.#heap[0];
  }

  /** @param timer not in any queue */
  add(timer: Timer): void {
    this.#heap.push(timer);
    this.#rise(timer, this.#heap.length - 1);
  }

  /** Does nothing to a timer that is out already. */
  remove(timer: Timer): void {
    const { index } = timer;
    if (index < 0) return;
    timer.index = -1;
    const last = this.#heap.pop();
    if (last === undefined || last === timer) return;
    // The last fills the gap; from there it may belong further up (another branch's) or down.
    this.#rise(last, index);
    this.#sink(last, last.index);
  }

  #rise(timer: Timer, from: number): void {
    let index = from;
    while (index > 0) {
      const parent = this.#heap[(index - 1) >> 1];
      if (parent === undefined || !isBefore(timer, parent)) break;
      const above = parent.index;
      this.#put(parent, index);
      index = above;
    }
    this.#put(timer, index);
  }

  #sink(timer: Timer, from: number): void {
    let index = from;
    for (;;) {
      const left = this.#heap[2 * index + 1];
      const right = this.#heap[2 * index + 2];
      const child = left !== undefined && right !== undefined && isBefore(right, left) ? right : left;
      if (child === undefined || !isBefore(child, timer)) break;
      const below = child.index;
      this.#put(child, index);
      index = below;
    }
    this.#put(timer, index);
  }

  #put(timer: Timer, index: number): void {
    this.#heap[index] = timer;
    timer.index = index;
  }
}
