/** What comes first, quickly, and any of it taken out again. @module */

/** What can lie in a heap, in one at a time. */
export interface Heaped {
  /** The heap's own: its place there; −1 while it is in none. */
  place: number;
}

/** A binary heap whose items know their place: adding, taking and removing cost the logarithm of the size. */
export class OrderedHeap<Item extends Heaped> {
  readonly #items: Item[] = [];
  readonly #before: (a: Item, b: Item) => boolean;

  /** @param before whether `a` comes before `b`: a total order, which must not change while an item is in */
  constructor(before: (a: Item, b: Item) => boolean) {
    this.#before = before;
  }

  /** How many there are. */
  get size(): number {
    return this.#items.length;
  }

  /** The first, which stays. */
  peek(): Item | undefined {
    return this.#items[0];
  }

  /** Adds one that is in no heap. */
  push(item: Item): void {
    this.#rise(item, this.#items.length);
  }

  /** Takes the first. */
  pop(): Item | undefined {
    const [first] = this.#items;
    if (first !== undefined) this.remove(first);
    return first;
  }

  /** Takes one out that is in this heap. */
  remove(item: Item): void {
    const hole = item.place;
    item.place = -1;
    const last = this.#items.pop();
    if (last === undefined || last === item) return;
    const parent = this.#items[(hole - 1) >> 1];
    if (hole > 0 && parent !== undefined && this.#before(last, parent)) this.#rise(last, hole);
    else this.#sink(last, hole);
  }

  #rise(item: Item, hole: number): void {
    while (hole > 0) {
      const above = (hole - 1) >> 1;
      const parent = this.#items[above];
      if (parent === undefined || !this.#before(item, parent)) break;
      this.#put(parent, hole);
      hole = above;
    }
    this.#put(item, hole);
  }

  #sink(item: Item, hole: number): void {
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

  #put(item: Item, place: number): void {
    this.#items[place] = item;
    item.place = place;
  }
}
