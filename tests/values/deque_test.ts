import { assert, assertEquals } from "@std/assert";
import { Deque } from "../../src/values/deque.ts";
import { seededRandom } from "../../src/values/random.ts";
import { collected } from "../support/collected.ts";
import { test } from "../support/runner.ts";

test("a deque does what an array does, at both ends, in any order of operations", () => {
  const random = seededRandom(1);
  const deque = new Deque<number | undefined>();
  const array: (number | undefined)[] = [];
  for (let step = 0; step < 50_000; step++) {
    // Leans to growing first, then to shrinking, so that the ring is resized both ways.
    const choice = random() + (step < 25_000 ? 0.15 : -0.15);
    if (choice > 0.75) deque.pushBack(step), array.push(step);
    else if (choice > 0.5) deque.pushFront(step), array.unshift(step);
    else assertEquals(deque.popFront(), array.shift());
    assertEquals(deque.size, array.length);
    assertEquals(deque.peekFront(), array[0]);
    if (step % 1000 === 0) assertEquals([...deque], array);
  }
  assertEquals([...deque], array);
});

test("an undefined is an item", () => {
  const deque = new Deque<undefined>();
  deque.pushBack(undefined);
  assertEquals([...deque], [undefined]);
  assertEquals(deque.popFront(), undefined);
  assertEquals(deque.size, 0);
});

test("an empty deque gives nothing, and a cleared one works on", () => {
  const deque = new Deque<number>();
  assertEquals([deque.popFront(), deque.peekFront(), deque.size], [undefined, undefined, 0]);
  for (let item = 0; item < 100; item++) deque.pushBack(item);
  deque.clear();
  assertEquals([...deque], []);
  deque.pushFront(1);
  assertEquals([...deque], [1]);
});

test("what was taken out is not kept", async () => {
  const deque = new Deque<object>();
  const references: WeakRef<object>[] = [];
  (function fill() {
    for (let count = 0; count < 1000; count++) {
      const item = { count };
      references.push(new WeakRef(item));
      deque.pushBack(item);
    }
    while (deque.size > 1) deque.popFront();
    deque.popFront();
    const cleared = { cleared: true };
    references.push(new WeakRef(cleared));
    deque.pushBack(cleared);
    deque.clear();
  })();
  assert(await collected(references), "items are still referred to");
  assertEquals(deque.size, 0);
});
