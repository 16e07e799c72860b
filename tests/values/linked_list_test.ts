import { assertEquals } from "@std/assert";
import { LinkedList } from "../../src/values/linked_list.ts";
import { test } from "../support/runner.ts";

test("items are in order of adding, and any can be taken out", () => {
  const list = new LinkedList<number>();
  const links = [1, 2, 3, 4, 5].map((item) => list.pushBack(item));
  const [first, , third, , last] = links;
  for (const link of [third, first, last]) assertEquals(link !== undefined && list.remove(link), true);
  assertEquals([...list], [2, 4]);
  assertEquals(list.size, 2);
  assertEquals(list.popFront()?.item, 2);
  assertEquals(list.popFront()?.item, 4);
  assertEquals(list.popFront(), undefined);
  list.pushBack(6);
  assertEquals([list.first?.item, list.size], [6, 1]);
});

test("what is out, or in another list, is not taken out again", () => {
  const [one, two] = [new LinkedList<number>(), new LinkedList<number>()];
  const link = one.pushBack(1);
  assertEquals(two.remove(link), false);
  assertEquals([one.remove(link), one.remove(link), one.size], [true, false, 0]);
});

test("the item just given may be taken out while the list is read", () => {
  const list = new LinkedList<number>();
  const links = new Map([1, 2, 3].map((item) => [item, list.pushBack(item)]));
  const seen: number[] = [];
  for (const item of list) {
    seen.push(item);
    const link = links.get(item);
    if (link !== undefined) list.remove(link);
  }
  assertEquals([seen, list.size], [[1, 2, 3], 0]);
});
