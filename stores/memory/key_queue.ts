/** The order of one key. @module */

/** What has a place in the order of its key. */
export interface Queued<Self> {
  /** Epoch milliseconds. */
  readonly dueAt: number;
  /** In order of writing. */
  readonly sequence: number;
  /** The queue's own. */
  previous: Self | undefined;
  /** The queue's own. */
  next: Self | undefined;
}

/** Whether one goes before the other: by due time, then in order of writing. */
export function goesBefore(a: Pick<Queued<unknown>, "dueAt" | "sequence">, b: typeof a): boolean {
  return a.dueAt < b.dueAt || (a.dueAt === b.dueAt && a.sequence < b.sequence);
}

/** The due and unsent rows of one key, in order. Adding at the end and taking out cost the same, however many there are. */
export class KeyQueue<Item extends Queued<Item>> {
  #first: Item | undefined;
  #last: Item | undefined;

  /** Whether none is left. */
  get empty(): boolean {
    return this.#first === undefined;
  }

  /** The one that all others go before. */
  get last(): Item | undefined {
    return this.#last;
  }

  /** Puts one in its place, which is mostly the last. */
  insert(item: Item): void {
    let before = this.#last;
    while (before !== undefined && goesBefore(item, before)) before = before.previous;
    const after = before === undefined ? this.#first : before.next;
    item.previous = before;
    item.next = after;
    if (before === undefined) this.#first = item;
    else before.next = item;
    if (after === undefined) this.#last = item;
    else after.previous = item;
  }

  /** Takes one out that is in this queue. */
  remove(item: Item): void {
    if (item.previous === undefined) this.#first = item.next;
    else item.previous.next = item.next;
    if (item.next === undefined) this.#last = item.previous;
    else item.next.previous = item.previous;
    item.previous = item.next = undefined;
  }
}
