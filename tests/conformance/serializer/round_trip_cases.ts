/** What is sent is what arrives. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { seededRandom } from "../../../src/values/random.ts";
import { randomValue } from "../../support/random_value.ts";
import type { CreateSerializer, SerializerCase } from "../serializer.ts";

/** Each as it is sent; a second one where another, equal by what JSON says of it, arrives. */
const values: Readonly<Record<string, readonly [sent: unknown, arrives?: unknown]>> = {
  "null": [null],
  "booleans": [[true, false]],
  "numbers to the last bit": [[0, -1, 0.1, 1e21, 5e-324, Number.MAX_VALUE, Number.MIN_SAFE_INTEGER]],
  "an empty text": [""],
  "text of every plane, NUL and line separators": ["a\u0000b\u2028 Zoë 李 😀"],
  "text that looks like an escaped surrogate": ["\\ud800"],
  "the replacement character": ["\ufffd"],
  "an empty object and an empty array": [[{}, []]],
  "a Date": [new Date("2024-02-29T12:34:56.789Z")],
  "the earliest and the last Date": [[new Date(-8.64e15), new Date(8.64e15)]],
  "bigints of any size": [[0n, -1n, 2n ** 64n, -(10n ** 1000n)]],
  "bytes": [{ empty: new Uint8Array(), all: Uint8Array.from({ length: 256 }, (_, index) => index) }],
  "a part of a buffer": [new Uint8Array([1, 2, 3, 4]).subarray(1, 3), new Uint8Array([2, 3])],
  "an ArrayBuffer": [{ buffer: new Uint8Array([1, 2, 3]).buffer }],
  "many bytes": [Uint8Array.from({ length: 100_000 }, (_, index) => index)],
  "a Map with keys of any kind": [new Map<unknown, unknown>([["a", 1], [2, "b"], [3n, new Date(0)], [null, [1n]]])],
  "a Set": [new Set<unknown>(["a", 1, 2n, null])],
  "empty Maps and Sets": [{ map: new Map(), set: new Set() }],
  "Maps in Sets in Maps": [new Map([["a", new Set([new Map([["b", new Date(0)]])])]])],
  "dates in some of many": [[{ at: new Date(0) }, { at: null }, {}, null, { at: new Date(1) }]],
  "dates beside text of the same form": [[{ at: new Date(0) }, { at: new Date(0).toISOString() }]],
  "an array of unlike elements": [[new Date(0), 1n, "x", [new Date(0)], { 0: new Date(0) }, { length: 1n }]],
  "a record of many dates": [
    Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`k${index}`, new Date(index)])),
  ],
  "keys of any text": [{
    "": 1n,
    "*": 2n,
    "a.b": 3n,
    "a=date": 4n,
    ",": 5n,
    "%": 6n,
    "é 😀": 7n,
    "0": 8n,
    "length": 9n,
  }],
  "properties that are undefined, which are left out": [{ a: undefined, b: 1, c: { d: undefined } }, { b: 1, c: {} }],
  "an object without prototype": [Object.assign(Object.create(null), { a: 1n }), { a: 1n }],
  "what getters give": [{
    get at() {
      return new Date(0);
    },
  }, { at: new Date(0) }],
  "one object in two places": [twice({ at: new Date(0) })],
  "a property called toJSON that is data": [{ toJSON: "x" }],
};

function twice(value: unknown): unknown {
  return { one: value, other: [value] };
}

function roundTrip(create: CreateSerializer, sent: unknown): unknown {
  const { body, types } = create({}).serialize(sent);
  // Another instance reads, a part of a larger buffer, as transports give it.
  const frame = new Uint8Array(body.length + 16).fill(0xff);
  frame.set(body, 8);
  return create({}).deserialize(frame.subarray(8, 8 + body.length), types);
}

/** Every promise of the kind. */
export const roundTripCases: readonly SerializerCase[] = [
  ...Object.entries(values).map(([name, [sent, arrives = sent]]): SerializerCase => ({
    name: `carries ${name}`,
    run: (create) => assertEquals(roundTrip(create, sent), arrives),
  })),
  {
    name: "carries whatever is made of these (2,000 seeds)",
    run(create) {
      for (let seed = 0; seed < 2000; seed++) {
        const sent = randomValue(seededRandom(seed), 6);
        assertEquals(roundTrip(create, sent), sent, `seed ${seed}`);
      }
    },
  },
  {
    name: "carries a property called __proto__ as a property, and sets no prototype",
    run(create) {
      for (const value of [{ admin: true }, new Date(0), new Map([["admin", true]])]) {
        const sent: object = Object.defineProperty({ a: 1n }, "__proto__", { value, enumerable: true });
        const read = roundTrip(create, sent) as Record<string, unknown>;
        assertEquals(Object.getPrototypeOf(read), Object.prototype);
        assertEquals(Object.getOwnPropertyDescriptor(read, "__proto__")?.value, value);
        assertEquals(read.admin, undefined);
        assertEquals(({} as Record<string, unknown>).admin, undefined);
      }
    },
  },
  {
    name: "says no types where there are none, and only printable ASCII where there are",
    run(create) {
      assertEquals(create({}).serialize({ a: [1, "b", null] }).types, undefined);
      for (let seed = 0; seed < 500; seed++) {
        const { types } = create({}).serialize(randomValue(seededRandom(seed), 4));
        assert(types === undefined || /^[\x21-\x7e]+$/.test(types), `seed ${seed}: ${types}`);
      }
    },
  },
  {
    name: "changes neither the value nor the body, and shares nothing with either",
    run(create) {
      const serializer = create({});
      const sent = { at: new Date(0), bytes: new Uint8Array([1]), list: [{ n: 1n }] };
      const { body, types } = serializer.serialize(sent);
      assertEquals(sent, { at: new Date(0), bytes: new Uint8Array([1]), list: [{ n: 1n }] });
      const before = body.slice();
      const [one, other] = [0, 1].map(() => serializer.deserialize(body, types) as typeof sent);
      one!.bytes[0] = 9;
      one!.list[0]!.n = 9n;
      assertEquals(body, before);
      assertEquals(other, sent);
      assertNotEquals(one, other);
    },
  },
  {
    name: "carries frozen values",
    run: (create) => assertEquals(roundTrip(create, Object.freeze([Object.freeze({ a: 1n })])), [{ a: 1n }]),
  },
  {
    name: "carries as many levels as its limit allows",
    run(create) {
      let sent: unknown = 1n;
      for (let level = 0; level < 1000; level++) sent = level % 2 === 0 ? [sent] : { a: sent };
      const serializer = create({ maxDepth: 1000 });
      const { body, types } = serializer.serialize(sent);
      assertEquals(serializer.serialize(serializer.deserialize(body, types)).body, body);
    },
  },
];
