/** What comes first, quickly, of what came in any order. @module */

/** An item that knows where in its heap it is, so that it can be taken from the middle. */
export interface HeapItem {
  /** -1: in none. Only the heap changes it. */
  index: number;
}

/** A binary heap: the first by `before` is at hand, adding and taking cost the logarithm of the size. */
export class Heap<T extends HeapItem> {
  readonly #items: T[] = [];
  readonly #before: (a: T, b: T) => boolean;

  /** @param before whether `a` comes before `b`: a total order */
  constructor(before: (a: T, b: T) => boolean) {
    this.#before = before;
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
    this.#items.push(item);
    this.#up(item, this.#items.length - 1);
  }

  /** Takes the first. */
  pop(): T | undefined {
    const first = this.#items[0];
    if (first !== undefined) this.remove(first);
    return first;
  }

  /** Takes one from where it is; false: it was not there. */
  remove(item: T): boolean {
    const { index } = item;
    if (this.#items[index] !== item) return false;
    const last = this.#items.pop();
    item.index = -1;
    if (last === undefined || last === item) return true;
    this.#down(last, index);
    this.#up(last, last.index);
    return true;
  }

  #up(item: T, from: number): void {
    let index = from;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = this.#items[parentIndex];
      if (parent === undefined || !this.#before(item, parent)) break;
      this.#place(parent, index);
      index = parentIndex;
    }
    this.#place(item, index);
  }

  #down(item: T, from: number): void {
    let index = from;
    for (;;) {
      let childIndex = 2 * index + 1;
      let child = this.#items[childIndex];
      const right = this.#items[childIndex + 1];
      if (child !== undefined && right !== undefined && this.#before(right, child)) {
        childIndex++;
        child = right;
      }
      if (child === undefined || !this.#before(child, item)) break;
      this.#place(child, index);
      index = childIndex;
    }
    this.#place(item, index);
  }

  #place(item: T, index: number): void {
    this.#items[index] = item;
    item.index = index;
  }
}
