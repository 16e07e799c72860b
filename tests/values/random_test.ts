import { assert, assertEquals } from "@std/assert";
import { randomBytes, seededRandom } from "../../src/values/random.ts";
import { test } from "../support/runner.ts";

const take = (seed: number, count: number) => Array.from({ length: count }, seededRandom(seed));

test("a seed decides the numbers", () => {
  assertEquals(take(42, 100), take(42, 100));
  const firsts = [0, -0, 1, 2, 0.5, 0.25, -1, 2 ** 53, NaN].map((seed) => take(seed, 2).join());
  assertEquals(new Set(firsts).size, firsts.length);
});

test("the numbers are those of sfc32", () => {
  // Computed from the published algorithm, in 64-bit integers, with a = 0, b = c = 0 of seed 0 and twelve dropped.
  const word = (value: bigint) => value & 0xffff_ffffn;
  let [a, b, c, counter] = [0n, 0n, 0n, 1n];
  const next = () => {
    const result = word(a + b + counter);
    counter = word(counter + 1n);
    a = b ^ (b >> 9n);
    b = word(c + (c << 3n));
    c = word(word((c << 21n) | (c >> 11n)) + result);
    return Number(result) / 2 ** 32;
  };
  for (let skipped = 0; skipped < 12; skipped++) next();
  assertEquals(take(0, 20), Array.from({ length: 20 }, next));
});

test("the numbers are even, and within 0 and 1", () => {
  for (const seed of [0, 1, 123_456]) {
    const numbers = take(seed, 10_000);
    assert(numbers.every((each) => each >= 0 && each < 1));
    const mean = numbers.reduce((sum, each) => sum + each) / numbers.length;
    assert(Math.abs(mean - 0.5) < 0.02, `mean ${mean}`);
  }
});

test("bytes follow from the numbers, whatever the length", () => {
  for (const length of [0, 1, 3, 4, 7, 1000]) {
    const [one, two] = [new Uint8Array(length), new Uint8Array(length)];
    randomBytes(seededRandom(5))(one);
    randomBytes(seededRandom(5))(two);
    assertEquals(one, two);
  }
  const bytes = new Uint8Array(10_000);
  randomBytes(seededRandom(6))(bytes);
  assertEquals(new Set(bytes).size, 256);
});
