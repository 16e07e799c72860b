/** Message ids. @module */

/** 12 bits as three digits; each made when it is first needed, as most programs that start need few. */
const known: string[] = [];
function digits(value: number): string {
  return known[value] ??= value.toString(16).padStart(3, "0");
}
const variants = ["8", "9", "a", "b"] as const;
const lastTime = 2 ** 48 - 1;
/** Each of the two counters has twelve bits. */
const counterEnd = 4096;

/** What `crypto.getRandomValues` gives at most at once. */
const largestPoolInBytes = 65_536;

/** What UUIDs that are made one after the other have in common: all but their last twelve bits. */
export class UuidHead {
  readonly text: string;
  /** Epoch milliseconds. */
  readonly time: number;
  // 32 bits each, signed; the last twelve are 0.
  readonly first: number;
  readonly second: number;
  readonly third: number;
  readonly fourth: number;

  constructor(text: string, time: number, first: number, second: number, third: number, fourth: number) {
    this.text = text;
    this.time = time;
    this.first = first;
    this.second = second;
    this.third = third;
    this.fourth = fourth;
  }
}

/** A UUID as a number: whoever keeps many need not read their texts, nor keep them. */
export class Uuid {
  readonly head: UuidHead;
  /** The last twelve bits. */
  readonly end: number;

  constructor(head: UuidHead, end: number) {
    this.head = head;
    this.end = end;
  }

  toString(): string {
    return this.head.text + digits(this.end);
  }
}

/** A source of UUIDv7s. */
export interface UuidV7Source {
  /** Makes one; who has just read the clock may say what it told. */
  (now?: number): string;
  /** The one that was made last. To be called behind that alone. */
  last(): Uuid;
}

/**
 * Makes a source of UUIDv7s (RFC 9562, 5.7), each greater than the one before, also when the clock stands or goes
 * back (6.2, methods 1 and 2): the last 12 bits count from a random number on; when they are used up within a
 * millisecond, the 12 bits after the time go up by one. The 50 bits between them are random, and new each time; so most
 * ids are one text with another end, which is what makes them cheap. When the counts are used up, or while the clock is
 * behind, the time in the id runs ahead.
 *
 * @param clock epoch milliseconds, 0 to 2^48 − 1; outside of it, and where it is not a number, the time stands
 * @param random fills an array with random bytes; `crypto.getRandomValues` unless given
 * @example
 * ```ts
 * import { createUuidV7 } from "./uuid_v7.ts";
 *
 * const newId = createUuidV7({ now: Date.now });
 * newId() < newId(); // true
 * ```
 */
export function createUuidV7(
  clock: { now(): number },
  random: (bytes: Uint8Array<ArrayBuffer>) => void = (bytes) => void crypto.getRandomValues(bytes),
): UuidV7Source {
  // Small at first: a short life, as in a simulation, needs few.
  let pool = new Uint16Array(48);
  let used = pool.length;
  const take = (): number => {
    if (used === pool.length) {
      const sizeInBytes = Math.min(pool.byteLength * 4, largestPoolInBytes);
      if (sizeInBytes > pool.byteLength) pool = new Uint16Array(sizeInBytes / 2);
      random(new Uint8Array(pool.buffer));
      used = 0;
    }
    return pool[used++] ?? 0;
  };
  let time = -1;
  // At their ends: a clock that never tells a time makes the first id begin at 0.
  let high = counterEnd - 1;
  let low = counterEnd - 1;
  /** All but the last twelve bits. */
  let headText = "";
  let head: UuidHead | undefined;

  const begin = (): void => {
    // The upper half is left to count in.
    low = take() >>> 5;
    const text = time.toString(16).padStart(12, "0");
    const a = take();
    const b = take();
    const c = take();
    const d = take();
    headText = `${text.slice(0, 8)}-${text.slice(8)}-7${digits(high)}-${variants[a >>> 14]}${digits(a & 4095)}-` +
      `${digits(b >>> 4)}${digits(((b & 15) << 8) | (c >>> 8))}${digits(((c & 255) << 4) | (d >>> 12))}`;
    head = new UuidHead(
      headText,
      time,
      Math.floor(time / 0x10000) | 0,
      ((time % 0x10000) << 16) | 0x7000 | high,
      ((0x8000 | ((a & 0xc000) >>> 2) | (a & 4095)) << 16) | b,
      (c << 16) | (d & 0xf000),
    );
  };
  const newId = (now = clock.now()): string => {
    if (now >= time + 1 && now <= lastTime) {
      time = Math.floor(now);
      high = take() >>> 5;
      begin();
    } else if (++low === counterEnd) {
      if (++high === counterEnd) {
        time++;
        high = 0;
      }
      begin();
    }
    return headText + digits(low);
  };
  return Object.assign(newId, { last: () => new Uuid(head!, low) }); // there is one behind each id
}
