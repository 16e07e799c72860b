/** A list from which any item can be taken out at once. @module */

/** An item's place in a list; given back to take it out. */
export class Link<T> {
  /** Whatever the list holds. */
  readonly item: T;
  /** The list that it is in, by which lists know their own; `undefined` once it is out. */
  list: LinkedList<T> | undefined;
  /** The list's own. */
  previous: Link<T> | undefined;
  /** The list's own. */
  next: Link<T> | undefined;

  /** In no list yet; `LinkedList.pushBack` makes it. */
  constructor(item: T) {
    this.item = item;
  }
}

/** A list, in order of adding, that takes any item out in constant time and keeps no reference to it then. */
export class LinkedList<T> {
  #first: Link<T> | undefined;
  #last: Link<T> | undefined;
  #size = 0;

  /** How many items there are. */
  get size(): number {
    return this.#size;
  }

  /** The first place; `undefined` if there is none. */
  get first(): Link<T> | undefined {
    return this.#first;
  }

  /** Adds an item behind all others. */
  pushBack(item: T): Link<T> {
    const link = new Link(item);
    link.list = this;
    link.previous = this.#last;
    if (this.#last === undefined) this.#first = link;
    else this.#last.next = link;
    this.#last = link;
    this.#size++;
    return link;
  }

  /** Takes the first item's place out; `undefined` if there is none. */
  popFront(): Link<T> | undefined {
    const link = this.#first;
    if (link !== undefined) this.remove(link);
    return link;
  }

  /** Takes a place out. False, and nothing done, if it is not, or no longer, in this list. */
  remove(link: Link<T>): boolean {
    if (link.list !== this) return false;
    if (link.previous === undefined) this.#first = link.next;
    else link.previous.next = link.next;
    if (link.next === undefined) this.#last = link.previous;
    else link.next.previous = link.previous;
    link.list = link.previous = link.next = undefined;
    this.#size--;
    return true;
  }

  /** From the first to the last; the item just given may be taken out meanwhile. */
  *[Symbol.iterator](): IterableIterator<T> {
    for (let at = this.#first; at !== undefined;) {
      const next: Link<T> | undefined = at.next;
      yield at.item;
      at = next;
    }
  }
}
