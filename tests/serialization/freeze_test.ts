import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { deepFreeze } from "../../src/serialization/freeze.ts";
import { test } from "../support/runner.ts";

test("all data that a value holds is frozen, and the value itself is given back", () => {
  const [inMap, key, inSet, hidden] = [{ a: 1 }, { b: 1 }, { c: 1 }, { d: 1 }];
  const symbol = Symbol("s");
  const value: Record<PropertyKey, unknown> = {
    list: [{ a: 1 }],
    map: new Map([[key, inMap]]),
    set: new Set([inSet]),
    [symbol]: hidden,
    bare: Object.create(null),
  };
  assertStrictEquals(deepFreeze(value), value);
  const list = value.list as [object];
  for (const each of [value, list, list[0], inMap, key, inSet, hidden, value.bare]) assert(Object.isFrozen(each));
  assertThrows(() => list.push({}), TypeError);
});

test("typed arrays, class instances and functions stay as they are", () => {
  class Service {
    calls = 0;
  }
  const value = { bytes: new Uint8Array([1]), at: new Date(0), service: new Service(), call: () => 1 };
  deepFreeze(value);
  value.bytes[0] = 2;
  value.service.calls++;
  assertEquals([value.bytes[0], value.service.calls], [2, 1]);
  assert(!Object.isFrozen(value.call));
});

test("cycles, 100,000 levels and scalars are fine, and getters are not run", () => {
  const cycle: Record<string, unknown> = {};
  cycle.self = [cycle];
  assert(Object.isFrozen(deepFreeze(cycle)));
  let deep: unknown = {};
  for (let level = 0; level < 100_000; level++) deep = [deep];
  deepFreeze(deep);
  for (const scalar of [1, "a", null, undefined, 1n]) assertEquals(deepFreeze(scalar), scalar);
  deepFreeze({
    get no(): number {
      throw new Error("run");
    },
  });
});
