/** Many UUIDs, each until a time, in little room. @module */
import type { Uuid } from "../../src/values/uuid_v7.ts";

/** What is kept of each beside its place in the table: four words and a time. */
const wordsEach = 4;
const smallest = 64;
/** Sixteen places of the table are a line of the processor's cache. */
const neighbourBits = 4;
const neighbours = 1 << neighbourBits;
/**
 * Who meets another at its place goes on so far from there: into the next line, as all neighbours may be taken, and one
 * to the side, so that a search that goes on comes to each place.
 */
const step = neighbours + 1;
/** Times `step`, it is 1, in 32 bits: how many steps it is from one place to another. */
const stepInverse = 0xf0f0f0f1;
/** Of each character of ASCII: its value as a hexadecimal digit in lower case; −1: it is none. */
const digits = Int8Array.from({ length: 128 }, (_, code) => "0123456789abcdef".indexOf(String.fromCharCode(code)));
const dash = 45;

/** Where {@linkcode readUuid} puts what it has read. */
const read = new Uint32Array(wordsEach);
/** What that was; `undefined`: it holds something else. */
let readFrom: string | Uuid | undefined;

/** Four digits as a number; negative: they are none. */
function hex(text: string, at: number): number {
  const a = text.charCodeAt(at);
  const b = text.charCodeAt(at + 1);
  const c = text.charCodeAt(at + 2);
  const d = text.charCodeAt(at + 3);
  if ((a | b | c | d) > 127) return -1;
  return (digits[a]! << 12) | (digits[b]! << 8) | (digits[c]! << 4) | digits[d]!; // within the table
}

/** Reads a UUID, or the one that a text begins with, in the one spelling that it is written back in. */
function readUuid(id: string | Uuid): boolean {
  if (typeof id === "string") return readText(id);
  const { head, end } = id;
  read[0] = head.first;
  read[1] = head.second;
  read[2] = head.third;
  read[3] = head.fourth | end;
  readFrom = id;
  return true;
}

function readText(text: string): boolean {
  if (text.charCodeAt(8) !== dash || text.charCodeAt(13) !== dash) return false;
  if (text.charCodeAt(18) !== dash || text.charCodeAt(23) !== dash) return false;
  const a = hex(text, 0), b = hex(text, 4), c = hex(text, 9), d = hex(text, 14);
  const e = hex(text, 19), f = hex(text, 24), g = hex(text, 28), h = hex(text, 32);
  if ((a | b | c | d | e | f | g | h) < 0) return false;
  read[0] = (a << 16) | b;
  read[1] = (c << 16) | d;
  read[2] = (e << 16) | f;
  read[3] = (g << 16) | h;
  readFrom = text;
  return true;
}

/**
 * UUIDs, each known until a time, in the order of those times. As text in a map each costs some two hundred bytes, and
 * a garbage collector that looks at it for as long as it is there; here they are numbers in a few large arrays: a ring
 * in their order, and a table of places in it, by hash.
 */
export class UuidRing {
  #words = new Uint32Array(smallest * wordsEach);
  #times = new Float64Array(smallest);
  /** The place in the ring, and 1; 0: none. At most half full. */
  #table = new Int32Array(smallest * 2);
  #first = 0;
  #size = 0;
  /** What was looked for last, and where: mostly it is what is added next. */
  #sought: string | Uuid | undefined;
  #soughtAt = 0;
  /** Who chooses ids must not know which of them have one place. Nothing that can be seen depends on it. */
  readonly #factors = crypto.getRandomValues(new Uint32Array(wordsEach)).map((factor) => factor | 1);

  /** How many there are. */
  get size(): number {
    return this.#size;
  }
  /** The latest time; −∞ where there is none. */
  get latest(): number {
    return this.#size === 0 ? -Infinity : this.#times[(this.#first + this.#size - 1) & (this.#times.length - 1)]!;
  }

  /** Whether an id is here; of a text its first 36 characters count. `undefined`: they are no UUID. */
  has(id: string | Uuid): boolean | undefined {
    if (!readUuid(id)) return undefined;
    const at = this.#find();
    this.#sought = id;
    this.#soughtAt = at;
    return this.#table[at] !== 0;
  }

  /**
   * Adds one that is not here.
   *
   * @param until no earlier than {@linkcode latest}
   * @returns false: it is no UUID
   */
  add(id: string | Uuid, until: number): boolean {
    // Before: it reads as well.
    if (this.#size === this.#times.length) this.#grow();
    const isRead = id === readFrom;
    if (!isRead && !readUuid(id)) return false;
    const at = isRead && id === this.#sought ? this.#soughtAt : this.#find();
    this.#sought = undefined;
    const place = (this.#first + this.#size++) & (this.#times.length - 1);
    const words = this.#words;
    for (let word = 0; word < wordsEach; word++) words[place * wordsEach + word] = read[word]!;
    this.#times[place] = until;
    this.#table[at] = place + 1;
    return true;
  }

  /** Forgets those whose time is before `now`, at most so many; gives how many it forgot. */
  sweep(limit: number, now: number): number {
    this.#sought = undefined;
    let count = 0;
    for (; count < limit && this.#size > 0 && this.#times[this.#first]! < now; count++) {
      this.#read(this.#first);
      this.#remove(this.#find());
      this.#first = (this.#first + 1) & (this.#times.length - 1);
      this.#size--;
    }
    return count;
  }

  /** Where in the table what was read is, or belongs. */
  #find(): number {
    const words = this.#words;
    const table = this.#table;
    let at = this.#home();
    for (let place = table[at]!; place !== 0; place = table[at]!) {
      const from = (place - 1) * wordsEach;
      if (
        words[from] === read[0] && words[from + 1] === read[1] && words[from + 2] === read[2] &&
        words[from + 3] === read[3]
      ) break;
      at = (at + step) & (table.length - 1);
    }
    return at;
  }
  /**
   * Where in the table what was read would be, were it alone. Most ids count on from the one before: those that differ in
   * their last digit are neighbours, in one line of the processor's cache. All others are apart, by all of their bits.
   */
  #home(): number {
    const factors = this.#factors;
    const last = read[3]!;
    const mixed = Math.imul(read[0]!, factors[0]!) ^ Math.imul(read[1]!, factors[1]!) ^
      Math.imul(read[2]!, factors[2]!) ^ Math.imul(last >>> neighbourBits, factors[3]!);
    // The upper bits of a factor's product alone know of the upper bits of an id; the lower ones are asked for.
    const hash = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
    return (((hash ^ (hash >>> 13)) << neighbourBits) | (last & (neighbours - 1))) & (this.#table.length - 1);
  }

  /** Word by word: a view of them would be an object each time. */
  #read(place: number): void {
    const words = this.#words;
    const from = place * wordsEach;
    for (let at = 0; at < wordsEach; at++) read[at] = words[from + at]!;
    readFrom = undefined;
  }

  /** Takes out of the table, and closes the gap: no search goes on behind one. */
  #remove(at: number): void {
    const table = this.#table;
    const most = table.length - 1;
    let gap = at;
    for (let next = (gap + step) & most; table[next] !== 0; next = (next + step) & most) {
      this.#read(table[next]! - 1);
      // It may fill the gap where its own place is not behind it.
      if ((stepsTo(next, this.#home()) & most) < (stepsTo(next, gap) & most)) continue;
      table[gap] = table[next]!;
      gap = next;
    }
    table[gap] = 0;
  }

  #grow(): void {
    this.#sought = undefined;
    const [words, times, first] = [this.#words, this.#times, this.#first];
    this.#words = new Uint32Array(words.length * 2);
    this.#times = new Float64Array(times.length * 2);
    this.#table = new Int32Array(this.#table.length * 2);
    this.#words.set(words.subarray(first * wordsEach));
    this.#words.set(words.subarray(0, first * wordsEach), (times.length - first) * wordsEach);
    this.#times.set(times.subarray(first));
    this.#times.set(times.subarray(0, first), times.length - first);
    this.#first = 0;
    for (let place = 0; place < this.#size; place++) {
      this.#read(place);
      this.#table[this.#find()] = place + 1;
    }
  }
}

/** How many steps lead to a place from another, of as many bits as places have. */
function stepsTo(place: number, from: number): number {
  return Math.imul(place - from, stepInverse);
}
