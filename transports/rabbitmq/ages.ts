/** How long ago messages of a channel have come. @module */
import { Deque } from "../../src/values/deque.ts";

/** One note is for all that comes within it. */
const noteInMs = 1_000;

/** Notes when messages came, in the order of their tags: seldom, as each costs memory. */
export class Ages {
  readonly #notes = new Deque<{ readonly tag: number; readonly at: number }>();
  #last = -Infinity;

  /** One has come. `oldest`: the tag of the first that is still asked for. */
  note(tag: number, now: number, oldest: number): void {
    if (now - this.#last < noteInMs) return;
    this.#last = now;
    this.#drop(oldest);
    this.#notes.pushBack({ tag, at: now });
  }

  /** How long ago it came, up to a second more; asked for tags that do not fall. */
  of(tag: number, now: number): number {
    this.#drop(tag);
    const note = this.#notes.peekFront();
    return note === undefined ? 0 : now - note.at;
  }

  #drop(oldest: number): void {
    for (let next = this.#notes.at(1); next !== undefined && next.tag <= oldest; next = this.#notes.at(1)) {
      this.#notes.popFront();
    }
  }
}
