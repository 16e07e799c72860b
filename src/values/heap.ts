/** What comes first, quickly, of what came in any order. @module */

/**
 * A binary heap: the first by `before` is at hand; adding, taking and removing cost the logarithm of the size, and leave
 * nothing behind.
 */
export class Heap<T> {
  readonly #items: T[] = [];
  readonly #before: (a: T, b: T) => boolean;
  readonly #placed: ((item: T, place: number) => void) | undefined;

  /**
   * @param before whether `a` comes before `b`: a total order, which must not change while an item is in
   * @param placed told of each item's place whenever it changes, −1 once it is out: needed to `remove` any but the first
   */
  constructor(before: (a: T, b: T) => boolean, placed?: (item: T, place: number) => void) {
    this.#before = before;
    this.#placed = placed;
  }

  /** How many there are. */
  get size(): number {
    return this.#items.length;
  }

  /** In no order. */
  get items(): readonly T[] {
    return this.#items;
  }

  /** The first, which stays. */
  peek(): T | undefined {
    return this.#items[0];
  }

  /** Adds one. */
  push(item: T): void {
    this.#rise(item, this.#items.length);
  }

  /** Takes the first. */
  pop(): T | undefined {
    return this.remove(0);
  }

  /** Takes the one out that is at `place`; `undefined` if none is. */
  remove(place: number): T | undefined {
    const item = this.#items[place];
    if (item === undefined) return undefined;
    this.#placed?.(item, -1);
    const last = this.#items.pop();
    if (last === undefined || place === this.#items.length) return item;
    // The last fills the gap; from there it may belong further up (another branch's) or down.
    const parent = this.#items[(place - 1) >> 1];
    if (place > 0 && parent !== undefined && this.#before(last, parent)) this.#rise(last, place);
    else this.#sink(last, place);
    return item;
  }

  #rise(item: T, from: number): void {
    let hole = from;
    while (hole > 0) {
      const above = (hole - 1) >> 1;
      const parent = this.#items[above];
      if (parent === undefined || !this.#before(item, parent)) break;
      this.#put(parent, hole);
      hole = above;
    }
    this.#put(item, hole);
  }

  #sink(item: T, from: number): void {
    let hole = from;
    for (;;) {
      let below = hole * 2 + 1;
      let child = this.#items[below];
      const right = this.#items[below + 1];
      if (child !== undefined && right !== undefined && this.#before(right, child)) {
        child = right;
        below++;
      }
      if (child === undefined || !this.#before(child, item)) break;
      this.#put(child, hole);
      hole = below;
    }
    this.#put(item, hole);
  }

  #put(item: T, place: number): void {
    this.#items[place] = item;
    this.#placed?.(item, place);
  }
}

/** What knows its place in a heap. */
export interface Heaped {
  /** The heap's own; −1 while it is in none. */
  place: number;
}

/** For a heap of what knows its place. */
export function keepPlace(item: Heaped, place: number): void {
  item.place = place;
}
