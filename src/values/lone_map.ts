/** A map of mostly one entry, or none. @module */

/**
 * A map for what is mostly put in and taken out again before another comes. A `Map` hashes each key and makes itself
 * anew, smaller, at each such removal; here the first entry is two fields, and a `Map` has the others.
 */
export class LoneMap<Value> {
  #key: string | undefined;
  #value: Value | undefined;
  /** All others. Made with the first; none of them is `#key`. */
  #others: Map<string, Value> | undefined;

  /** How many there are. */
  get size(): number {
    return (this.#key === undefined ? 0 : 1) + (this.#others?.size ?? 0);
  }

  /** Whether a key is there. */
  has(key: string): boolean {
    if (key === this.#key) return true;
    const others = this.#others;
    return others !== undefined && others.size > 0 && others.has(key);
  }

  /** What is under a key. */
  get(key: string): Value | undefined {
    if (key === this.#key) return this.#value;
    const others = this.#others;
    return others === undefined || others.size === 0 ? undefined : others.get(key);
  }

  /** Puts a value under a key, in the place of what was there. */
  set(key: string, value: Value): void {
    if (key === this.#key || (this.#key === undefined && !this.has(key))) {
      this.#key = key;
      this.#value = value;
    } else (this.#others ??= new Map()).set(key, value);
  }

  /** Takes a key out, if it is there. */
  delete(key: string): void {
    if (key === this.#key) this.#key = this.#value = undefined;
    // Each table that a `Map` has had keeps the next one, and all that was in it, alive for small collections.
    else if (this.#others?.delete(key) === true && this.#others.size === 0) this.#others = undefined;
  }
}
