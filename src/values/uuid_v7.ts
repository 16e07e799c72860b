/** Message ids. @module */

/** 12 bits as three digits. */
const digits: readonly string[] = Array.from({ length: 4096 }, (_, value) => value.toString(16).padStart(3, "0"));
const variants = ["8", "9", "a", "b"] as const;
const pattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const lastTime = 2 ** 48 - 1;
const counterEnd = 2 ** 26;

/** What `crypto.getRandomValues` gives at most at once. */
const largestPoolInBytes = 65_536;

/**
 * Makes a source of UUIDv7s (RFC 9562, 5.7), each greater than the one before, also when the clock stands or goes
 * back: the 26 bits after the time count within a millisecond (6.2, method 1) from a random number on, the other 48 are
 * random. When the count is used up, or while the clock is behind, the time in the id runs ahead.
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
): () => string {
  // Small at first: a short life, as in a simulation, needs few.
  let pool = new Uint16Array(48);
  let used = pool.length;
  const refill = (): void => {
    const sizeInBytes = Math.min(pool.byteLength * 4, largestPoolInBytes);
    if (sizeInBytes > pool.byteLength) pool = new Uint16Array(sizeInBytes / 2);
    random(new Uint8Array(pool.buffer));
    used = 0;
  };
  let time = -1;
  // At its end: a clock that never tells a time makes the first id begin at 0.
  let counter = counterEnd - 1;
  /** All but the last twelve bits of the counter, and what stands before them. */
  let head = "";

  const writeHead = (): void => {
    const text = time.toString(16).padStart(12, "0");
    head = `${text.slice(0, 8)}-${text.slice(8)}-7${digits[counter >>> 14]}-${variants[(counter >>> 12) & 3]}`;
  };
  return () => {
    if (used + 5 > pool.length) refill();
    const now = clock.now();
    if (now >= time + 1 && now <= lastTime) {
      time = Math.floor(now);
      counter = (((pool[used++] ?? 0) << 16) | (pool[used++] ?? 0)) >>> 6;
      writeHead();
    } else if (++counter === counterEnd) {
      time++;
      counter = 0;
      writeHead();
    } else if ((counter & 4095) === 0) writeHead();
    const a = pool[used++] ?? 0;
    const b = pool[used++] ?? 0;
    const c = pool[used++] ?? 0;
    return head + digits[counter & 4095] + "-" + digits[a >>> 4] + digits[((a & 15) << 8) | (b >>> 8)] +
      digits[((b & 255) << 4) | (c >>> 12)] + digits[c & 4095];
  };
}

/** Whether a text has the form of a UUID, of whatever version. */
export function isUuid(text: string): boolean {
  return text.length === 36 && pattern.test(text);
}
