/** Copies of plain data, as they would come back from JSON. */
import { assert, assertEquals } from "@std/assert";
import { isPlain } from "../../src/serialization/plain.ts";
import { copyIfPlain, copyOfPlain, isSamePlain } from "../../src/values/plain_copy.ts";
import { seededRandom } from "../../src/values/random.ts";
import { randomValue, record } from "../support/random_value.ts";
import { test } from "../support/runner.ts";

const copyOf = (value: unknown, depth = 64, bytes = 1e6): unknown => copyIfPlain({ value }, depth, bytes);
const throughJson = (value: unknown): unknown => JSON.parse(JSON.stringify({ value }));

/** The containers in a value, and how many places lead to one. */
function containers(value: unknown, found: Map<object, number> = new Map()): Map<object, number> {
  if (typeof value !== "object" || value === null) return found;
  const count = found.get(value) ?? 0;
  found.set(value, count + 1);
  if (count === 0) { for (const each of Object.values(value)) containers(each, found); }
  return found;
}

test("plain copy: of any value it is what JSON makes of it, and shares no object with it, or there is none", () => {
  const random = seededRandom(7);
  let copied = 0;
  for (let round = 0; round < 20_000; round++) {
    const value = record([["value", "a", "0", "é"][round % 4]!], () => randomValue(random, 3));
    const before = JSON.stringify(value, (_, each) => typeof each === "bigint" ? `${each}n` : each);
    const copy = copyIfPlain(value, 64, 1e6);
    assertEquals(JSON.stringify(value, (_, each) => typeof each === "bigint" ? `${each}n` : each), before);
    if (copy === undefined) continue;
    copied++;
    assert(isPlain(value, 64));
    assertEquals(copy, JSON.parse(before));
    assertEquals(JSON.stringify(copy), before);
    const again = copyOfPlain(copy);
    assertEquals(JSON.stringify(again), before);
    assert(isSamePlain(copy, again));
    const all = [value, copy, again].map((each) => containers(each));
    assertEquals([...all[1]!.keys(), ...all[2]!.keys()].filter((each) => all[0]!.has(each)), []);
    assertEquals([...all[2]!.keys()].filter((each) => all[1]!.has(each)), []);
  }
  assert(copied > 4_000, `${copied}`);
});

test("plain copy: what JSON changes in silence is changed alike", () => {
  const twice = { a: 1 };
  const hidden = Object.defineProperty({ a: 1 }, "b", { value: new Date(0), enumerable: false });
  const values = [
    -0,
    [-0],
    { a: undefined, b: 1, c: { d: undefined } },
    { one: twice, other: [twice] },
    { [Symbol("symbol")]: new Date(0), a: 1 },
    Object.assign(Object.create(null), { a: 1 }),
    Object.assign([1, 2], { named: new Date(0) }),
    hidden,
    {
      get a() {
        return [1];
      },
    },
    new Proxy({ a: 1 }, {}),
    Object.freeze({ a: Object.freeze([1]) }),
    "a\u0000b\u2028 Zoë 李 😀",
  ];
  for (const value of values) {
    const copy = copyOf(value);
    assertEquals(copy, throughJson(value));
    assertEquals(Object.is(Reflect.get(Object(copy), "value"), -0), false);
  }
  const copy = copyOf({ one: twice, other: [twice] }) as { value: { one: unknown; other: unknown[] } };
  assert(copy.value.one !== copy.value.other[0]);
  assertEquals(Object.getPrototypeOf(Reflect.get(Object(copyOf(Object.create(null))), "value")), Object.prototype);
  const written = copyOf(Object.freeze({ a: 1 })) as { value: { a: number } };
  assertEquals(++written.value.a, 2);
});

test("plain copy: there is none of what JSON would refuse, or bring back as something else", () => {
  class Money {
    readonly cents = 1;
  }
  const cycle: Record<string, unknown> = {};
  cycle["self"] = cycle;
  const refused: readonly unknown[] = [
    undefined,
    NaN,
    Infinity,
    1n,
    () => {},
    Symbol("symbol"),
    "\ud800",
    { "\udc00": 1 },
    [undefined],
    // deno-lint-ignore no-sparse-arrays -- such is refused
    [1, , 2],
    new Date(0),
    new Map(),
    new Set(),
    new Uint8Array(1),
    new Money(),
    new Proxy(new Money(), {}),
    new (class extends Array<number> {})(),
    Object(1),
    Object("a"),
    /a/,
    { toJSON: () => 1 },
    { toJSON: "data" },
    JSON.parse(`{ "__proto__": { "admin": true } }`),
    cycle,
    {
      get a(): never {
        throw new Error("not now");
      },
    },
  ];
  for (const [at, each] of refused.entries()) {
    for (const value of [each, [each], { deep: { deeper: [each] } }]) {
      // At the top `undefined` is a property, which JSON leaves out.
      if (value === undefined) continue;
      assertEquals(copyOf(value), undefined, `the value at ${at}`);
    }
  }
});

test("plain copy: there is none of what is deeper, or may be larger, than is allowed", () => {
  const nested = (depth: number): unknown => depth === 0 ? 1 : [nested(depth - 1)];
  assertEquals([4, 5].map((depth) => copyOf(nested(depth), 5) === undefined), [false, true]);
  const large: readonly unknown[] = ["\u0000".repeat(170), Array.from({ length: 100 }, () => 0), {
    ["é".repeat(170)]: 1,
  }];
  for (const value of large) {
    const sizeInBytes = new TextEncoder().encode(JSON.stringify({ value })).length;
    assertEquals(copyOf(value, 64, sizeInBytes - 1), undefined);
    assertEquals(copyOf(value, 64, 32 * sizeInBytes), throughJson(value));
  }
});

test("plain copy: there is none of what is text in JSON's own sense", () => {
  const raw: unknown = Reflect.get(JSON, "rawJSON")?.("12345678901234567890");
  if (raw === undefined) return; // this runtime has no such
  assertEquals([copyOf(raw), copyOf([raw]), copyOf({ raw })], [undefined, undefined, undefined]);
  assertEquals(copyOf({ rawJSON: "1" }), { value: { rawJSON: "1" } });
});

test("plain copy: one that a getter has made meanwhile takes no room of the other, and gives it none", () => {
  let others = 0;
  const value = {
    get other(): boolean {
      return copyIfPlain({ large: "x".repeat(100) }, 64, 1e6) !== undefined && ++others > 0;
    },
    text: "x".repeat(100),
  };
  assertEquals(copyIfPlain(value, 64, 500), undefined);
  assertEquals(copyIfPlain(value, 64, 1_000), { other: true, text: "x".repeat(100) });
  assertEquals(others, 2);
});

test("plain copy: two are the same where one text would be written of both", () => {
  const random = seededRandom(3);
  const copies: object[] = [
    { a: 1, b: 2 },
    { b: 2, a: 1 },
    { a: 1 },
    { a: "1" },
    { a: null },
    { a: [] },
    { a: {} },
    { a: [1, 2] },
    { a: [1] },
    { a: { 0: 1 } },
    { a: { 0: 1, length: 1 } },
    { a: [[1]] },
    { a: [[2]] },
  ];
  for (let round = 0; copies.length < 120 && round < 5_000; round++) {
    const copy = copyIfPlain({ a: randomValue(random, 2) }, 64, 1e6);
    if (copy !== undefined) copies.push(copy);
  }
  for (const one of copies) {
    for (const other of copies) {
      assertEquals(isSamePlain(one, copyOfPlain(other)), JSON.stringify(one) === JSON.stringify(other));
    }
  }
});
