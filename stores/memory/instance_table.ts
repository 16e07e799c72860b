/** The instances of one saga, by id. @module */
import type { SagaRow } from "../../src/spi/rows.ts";

/** A saga that is busy has waves of instances that begin and are over: of so few the table is not made anew for each. */
const smallest = 256;

/** Holds a row, so that writing one does not write the table: JavaScriptCore then looks through all of it once more. */
interface Place {
  row: SagaRow;
}

/**
 * Rows by id. Of a million, the one that is asked for is in no cache of the processor, nor is what leads to it: in a
 * `Map` a list of entries for each hash, and the text of each key in it, some five places in memory for one look. Here
 * the hashes stand in a row of numbers, and a text is looked at where all of its hash agrees: three places.
 */
export class InstanceTable {
  /** Of what is at each place; 0: nothing is. Who has the place that another's hash says has the next that is free. */
  #hashes = new Int32Array(smallest);
  #places: (Place | undefined)[] = emptyPlaces(smallest);
  #size = 0;
  /** What was looked for last, and its hash: mostly one is looked for, checked and written. */
  #lastId = "";
  #lastHash = 0;
  /** Who chooses ids must not know which of them have one hash. Nothing that can be seen depends on it. */
  readonly #seeds = crypto.getRandomValues(new Uint32Array(2));

  /** How many there are. */
  get size(): number {
    return this.#size;
  }

  /** The row of an instance. */
  get(id: string): SagaRow | undefined {
    return this.#places[this.#find(id, this.#hash(id))]?.row;
  }

  /** Puts a row in the place of the one with its id, or adds it. */
  set(row: SagaRow): void {
    const hash = this.#hash(row.id);
    const at = this.#find(row.id, hash);
    const place = this.#places[at];
    if (place !== undefined) {
      place.row = row;
      return;
    }
    this.#hashes[at] = hash;
    this.#places[at] = { row };
    // At most half full, so that a search soon comes to where nothing is.
    if (++this.#size * 2 > this.#hashes.length) this.#resize(this.#hashes.length * 2);
  }

  /** Takes an instance out, if it is there. */
  delete(id: string): void {
    const at = this.#find(id, this.#hash(id));
    if (this.#hashes[at] === 0) return;
    this.#close(at);
    this.#size--;
    // An eighth, so that growing and shrinking do not take turns.
    if (this.#hashes.length > smallest && this.#size * 8 < this.#hashes.length) this.#resize(this.#hashes.length / 2);
  }

  /** All, in no order. None may be put in or taken out meanwhile. */
  *[Symbol.iterator](): Generator<SagaRow> {
    for (const place of this.#places) if (place !== undefined) yield place.row;
  }

  /** Where an instance is, or belongs. */
  #find(id: string, hash: number): number {
    const hashes = this.#hashes;
    const last = hashes.length - 1;
    let at = hash & last;
    for (let there = hashes[at]; there !== 0; there = hashes[at]) {
      if (there === hash && this.#places[at]?.row.id === id) break;
      at = (at + 1) & last;
    }
    return at;
  }

  /** Closes the gap that one leaves: no search goes on behind one. */
  #close(at: number): void {
    const hashes = this.#hashes;
    const places = this.#places;
    const last = hashes.length - 1;
    let gap = at;
    for (let next = (gap + 1) & last; hashes[next] !== 0; next = (next + 1) & last) {
      // It may fill the gap where its own place is not behind it.
      if (((next - hashes[next]!) & last) < ((next - gap) & last)) continue;
      hashes[gap] = hashes[next]!;
      places[gap] = places[next];
      gap = next;
    }
    hashes[gap] = 0;
    places[gap] = undefined;
  }

  #resize(length: number): void {
    const [hashes, places] = [this.#hashes, this.#places];
    this.#hashes = new Int32Array(length);
    this.#places = emptyPlaces(length);
    for (let at = 0; at < hashes.length; at++) {
      const hash = hashes[at]!;
      if (hash === 0) continue;
      let to = hash & (length - 1);
      while (this.#hashes[to] !== 0) to = (to + 1) & (length - 1);
      this.#hashes[to] = hash;
      this.#places[to] = places[at];
    }
  }

  /** Never 0. */
  #hash(id: string): number {
    if (id !== this.#lastId || this.#lastHash === 0) {
      this.#lastHash = this.#hashAnew(id);
      this.#lastId = id;
    }
    return this.#lastHash;
  }
  #hashAnew(id: string): number {
    const factor = this.#seeds[0]! | 1;
    const { length } = id;
    let hash = this.#seeds[1]! ^ length;
    // Two letters at a time.
    for (let at = 0; at < length; at += 2) {
      const second = at + 1 < length ? id.charCodeAt(at + 1) : 0;
      hash = Math.imul(hash ^ id.charCodeAt(at) ^ (second << 16), factor);
      hash = (hash << 13) | (hash >>> 19);
    }
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    return (hash ^ (hash >>> 13)) || 1;
  }
}

function emptyPlaces(length: number): (Place | undefined)[] {
  return new Array<Place | undefined>(length).fill(undefined);
}
