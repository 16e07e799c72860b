/** A queue with two ends. @module */

const smallest = 16;

/**
 * A queue with two ends, on a ring: each operation takes constant time however many items wait. Keeps no reference to
 * what was taken out, and gives memory back when a backlog has gone.
 */
export class Deque<T> {
  #ring: (T | undefined)[] = new Array(smallest);
  #head = 0;
  #size = 0;

  /** How many items there are. */
  get size(): number {
    return this.#size;
  }

  /** Adds an item behind all others. */
  pushBack(item: T): void {
    if (this.#size === this.#ring.length) this.#resize(this.#size * 2);
    this.#ring[(this.#head + this.#size) & (this.#ring.length - 1)] = item;
    this.#size++;
  }

  /** Adds an item before all others. */
  pushFront(item: T): void {
    if (this.#size === this.#ring.length) this.#resize(this.#size * 2);
    this.#head = (this.#head - 1) & (this.#ring.length - 1);
    this.#ring[this.#head] = item;
    this.#size++;
  }

  /** The first item, which stays; `undefined` if there is none. */
  peekFront(): T | undefined {
    return this.#ring[this.#head];
  }

  /** The item at `index`, counted from the first, which is 0; it stays. `undefined` if there is none. */
  at(index: number): T | undefined {
    if (index < 0 || index >= this.#size) return undefined;
    return this.#ring[(this.#head + index) & (this.#ring.length - 1)];
  }

  /** Takes the first item out; `undefined` if there is none. */
  popFront(): T | undefined {
    if (this.#size === 0) return undefined;
    const item = this.#ring[this.#head];
    this.#ring[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#ring.length - 1);
    this.#size--;
    this.#shrink();
    return item;
  }

  /** Takes all out. */
  clear(): void {
    this.#ring = new Array(smallest);
    this.#head = 0;
    this.#size = 0;
  }

  /** From the first to the last. Items must not be added or taken out meanwhile. */
  *[Symbol.iterator](): IterableIterator<T> {
    for (let at = 0; at < this.#size; at++) {
      // Within the size every place is filled, be it with an undefined that is an item.
      yield this.#ring[(this.#head + at) & (this.#ring.length - 1)] as T;
    }
  }

  /** An eighth, so that growing and shrinking do not take turns. */
  #shrink(): void {
    if (this.#ring.length > smallest && this.#size <= this.#ring.length >>> 3) this.#resize(this.#ring.length >>> 1);
  }

  #resize(length: number): void {
    const ring = new Array<T | undefined>(length);
    for (let at = 0; at < this.#size; at++) ring[at] = this.#ring[(this.#head + at) & (this.#ring.length - 1)];
    this.#ring = ring;
    this.#head = 0;
  }
}
