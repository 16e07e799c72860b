/** What waits for long, in little room. @module */
import type { Address } from "../../src/spi/transport.ts";
import { Deque } from "../../src/values/deque.ts";
import { Block, blockSize } from "./block.ts";
import type { Contents, Message } from "./message.ts";

/**
 * Messages of one priority, in order, of which nobody takes any for a while. A message is some ten objects: 400 bytes
 * beside its body, which a garbage collector copies and looks at as long as they are there. Here it is its id, 21 bytes
 * and a share of what it has in common with others, and is made again when its turn comes.
 */
export class Packed {
  readonly #priority: number;
  readonly #blocks = new Deque<Block>();
  #last: Block | undefined;
  #size = 0;

  constructor(priority: number) {
    this.#priority = priority;
  }

  /** How many there are. */
  get size(): number {
    return this.#size;
  }

  /** Adds one behind all others. */
  add(contents: Contents, via: Address, position: number): void {
    if (this.#last === undefined || this.#last.size === blockSize) {
      this.#last = new Block(position);
      this.#blocks.pushBack(this.#last);
    }
    this.#last.add(contents, via, position);
    this.#size++;
  }

  /** The one at `index`, which stays. */
  at(index: number): Message | undefined {
    return this.#blocks.at(Math.floor(index / blockSize))?.at(index % blockSize, this.#priority);
  }

  /** Takes out the first few. */
  unpack(into: Deque<Message>): void {
    const block = this.#blocks.popFront();
    if (block === undefined) return;
    if (block === this.#last) this.#last = undefined;
    this.#size -= block.size;
    for (let index = 0; index < block.size; index++) {
      const message = block.at(index, this.#priority);
      if (message !== undefined) into.pushBack(message);
    }
  }
}
