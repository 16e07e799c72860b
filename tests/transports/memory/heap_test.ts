import { assertEquals } from "@std/assert";
import { Heap } from "../../../transports/memory/heap.ts";
import { test } from "../../support/runner.ts";

test("a heap gives what was put in any order in its order", () => {
  const heap = new Heap<number>((a, b) => a < b);
  const numbers = Array.from({ length: 500 }, (_, at) => (at * 7_919) % 1_009);
  for (const number of numbers) heap.push(number);
  const taken: (number | undefined)[] = [];
  while (heap.size > 0) {
    assertEquals(heap.peek(), Math.min(...heap.items));
    taken.push(heap.pop());
  }
  assertEquals(taken, numbers.toSorted((a, b) => a - b));
  assertEquals([heap.pop(), heap.peek()], [undefined, undefined]);
});

test("a heap that is filled and emptied by turns keeps its order", () => {
  const heap = new Heap<number>((a, b) => a < b);
  const kept: number[] = [];
  for (let round = 0; round < 400; round++) {
    const number = (round * 31) % 97;
    heap.push(number);
    kept.push(number);
    if (round % 3 === 0) continue;
    kept.sort((a, b) => a - b);
    assertEquals(heap.pop(), kept.shift());
  }
});
