/** What waits in a queue, in order. @module */
import { Deque } from "../../src/values/deque.ts";
import { Heap } from "../../src/values/heap.ts";
import type { Address } from "../../src/spi/transport.ts";
import { type Contents, levelOf, Message, precedes } from "./message.ts";
import { Packed } from "./packed.ts";

/** Of one priority: what waits behind them is packed. Few queues ever are that long. */
const mostLoose = 1024;

/**
 * What waits in a queue: a deque a priority for what is new, packed behind its first, and a heap for what came back,
 * which belongs between. All are flat in the size of the queue: the heap holds no more than was in flight.
 */
export class Backlog {
  /**
   * The one that waits where no other does, in none of the places below: where thousands of queues have one each, these
   * would be in no cache when its turn comes.
   */
  #lone: Message | undefined;
  /** By priority; made when first needed. */
  readonly #levels: (Deque<Message> | undefined)[] = [];
  /** What waits behind those: of an empty level, nothing. Made when first needed. */
  #packed: (Packed | undefined)[] | undefined;
  /** No level above has a message. */
  #top = 0;
  readonly #returned = new Heap<Message>(precedes);
  #size = 0;

  /** How many wait. */
  get size(): number {
    return this.#size;
  }

  /** Adds a new one, whose position is beyond all others'. */
  add(contents: Contents, via: Address, position: number): void {
    if (this.#size++ === 0) {
      this.#lone = new Message(contents, via, position, 1);
      return;
    }
    this.#join();
    const priority = levelOf(contents);
    const level = this.#levelOf(priority);
    if (level.size < mostLoose && this.#behind(priority) === 0) {
      level.pushBack(new Message(contents, via, position, 1));
    } else {
      const packed = this.#packed ??= [];
      (packed[priority] ??= new Packed(priority)).add(contents, via, position);
    }
  }

  /** The lone one gets company. */
  #join(): void {
    const lone = this.#lone;
    if (lone === undefined) return;
    this.#lone = undefined;
    this.#levelOf(lone.priority).pushBack(lone);
  }

  #levelOf(priority: number): Deque<Message> {
    let level = this.#levels[priority];
    if (level === undefined) this.#levels[priority] = level = new Deque();
    if (priority > this.#top) this.#top = priority;
    return level;
  }

  /** How many of a priority are packed. */
  #behind(priority: number): number {
    return this.#packed?.[priority]?.size ?? 0;
  }

  /** Adds one at the place that its position gives it. */
  putBack(message: Message): void {
    this.#join();
    this.#returned.push(message);
    this.#size++;
  }

  /** The first, which stays. */
  peek(): Message | undefined {
    if (this.#lone !== undefined) return this.#lone;
    const fresh = this.#level()?.peekFront();
    const returned = this.#returned.peek();
    if (returned === undefined || (fresh !== undefined && precedes(fresh, returned))) return fresh;
    return returned;
  }

  /** Takes the first. */
  take(): Message | undefined {
    const lone = this.#lone;
    if (lone !== undefined) {
      this.#lone = undefined;
      this.#size = 0;
      return lone;
    }
    const level = this.#level();
    if (this.#returned.size > 0) {
      const fresh = level?.peekFront();
      const returned = this.#returned.peek();
      if (returned !== undefined && (fresh === undefined || precedes(returned, fresh))) {
        this.#size--;
        return this.#returned.pop();
      }
    }
    const message = level?.popFront();
    if (message === undefined) return undefined;
    this.#size--;
    if (level?.size === 0) this.#packed?.[message.priority]?.unpack(level);
    return message;
  }

  /** All, in order; what is skipped by `after` costs only a search. */
  *inOrder(after?: (message: Message) => boolean): Generator<Message> {
    this.#join();
    const returned = this.#returned.items.toSorted((a, b) => (precedes(a, b) ? -1 : 1));
    let next = 0;
    for (let priority = this.#levels.length - 1; priority >= 0; priority--) {
      const level = this.#levels[priority];
      if (level === undefined) continue;
      const packed = this.#packed?.[priority];
      const size = level.size + (packed?.size ?? 0);
      const at = (index: number) => index < level.size ? level.at(index) : packed?.at(index - level.size);
      for (let index = after === undefined ? 0 : first(size, at, after); index < size; index++) {
        const message = at(index);
        if (message === undefined) continue;
        for (let back = returned[next]; back !== undefined && precedes(back, message); back = returned[next]) {
          next++;
          if (after === undefined || after(back)) yield back;
        }
        yield message;
      }
    }
    for (const back of returned.slice(next)) if (after === undefined || after(back)) yield back;
  }

  #level(): Deque<Message> | undefined {
    let level = this.#levels[this.#top];
    while ((level === undefined || level.size === 0) && this.#top > 0) level = this.#levels[--this.#top];
    return level;
  }
}

/** The index of the first for which `after` holds: it holds for all behind one for which it holds. */
function first(
  size: number,
  at: (index: number) => Message | undefined,
  after: (message: Message) => boolean,
): number {
  let low = 0;
  let high = size;
  while (low < high) {
    const middle = (low + high) >> 1;
    const message = at(middle);
    if (message !== undefined && after(message)) high = middle;
    else low = middle + 1;
  }
  return low;
}
