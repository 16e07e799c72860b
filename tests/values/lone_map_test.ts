import { assertEquals } from "@std/assert";
import { LoneMap } from "../../src/values/lone_map.ts";
import { seededRandom } from "../../src/values/random.ts";
import { test } from "../support/runner.ts";

test("what is put in and taken out at random is there as in a map", () => {
  const random = seededRandom(7);
  const known = new Map<string, number | undefined>();
  const lone = new LoneMap<number | undefined>();
  for (let step = 0; step < 5_000; step++) {
    const key = "abcd"[Math.floor(random() * 4)] ?? "";
    // Also none is a value: of a lock, it says that nobody waits for it.
    const value = step % 5 === 0 ? undefined : step;
    if (random() < 0.5) {
      known.set(key, value);
      lone.set(key, value);
    } else {
      known.delete(key);
      lone.delete(key);
    }
    assertEquals(lone.size, known.size);
    for (const each of "abcde") assertEquals([lone.has(each), lone.get(each)], [known.has(each), known.get(each)]);
  }
});
