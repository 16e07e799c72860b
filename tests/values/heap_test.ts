import { assertEquals } from "@std/assert";
import { Heap, keepPlace } from "../../src/values/heap.ts";
import { test } from "../support/runner.ts";

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

test("what knows its place can be taken out from wherever it is, and only once", () => {
  const heap = new Heap<{ readonly rank: number; place: number }>((a, b) => a.rank < b.rank, keepPlace);
  const items = Array.from({ length: 500 }, (_, at) => ({ rank: (at * 7_919) % 1_009, place: -1 }));
  for (const item of items) heap.push(item);
  const [odd, even] = [items.filter(({ rank }) => rank % 2 === 1), items.filter(({ rank }) => rank % 2 === 0)];
  for (const item of odd) assertEquals(heap.remove(item.place), item);
  for (const { place } of odd) assertEquals([place, heap.remove(place)], [-1, undefined]);
  assertEquals(heap.size, even.length);
  for (const { rank } of even.toSorted((a, b) => a.rank - b.rank)) assertEquals(heap.pop()?.rank, rank);
});
