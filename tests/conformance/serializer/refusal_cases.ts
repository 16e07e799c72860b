/** What cannot arrive as it was sent is refused where it is sent, with its path. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { UnserializableError } from "../../../src/errors/sending.ts";
import type { CreateSerializer, SerializerCase } from "../serializer.ts";

class Money {
  readonly amount = 1;
}
class Stamp extends Date {}
class Table extends Map {}
class Bag extends Set {}
class List extends Array {}

const hidden: object = Object.defineProperty({ a: 1 }, "toJSON", { value: () => "replaced" });
const cycle: Record<string, unknown> = { a: {} };
(cycle.a as Record<string, unknown>).b = [cycle];
const holed: unknown[] = [1, 2, 3];
delete holed[1];

/** Where no path is given, the value itself is at fault. */
const refused: Readonly<Record<string, readonly [value: unknown, path?: string]>> = {
  "undefined as the message": [undefined],
  "undefined in an array": [[1, undefined], "1"],
  "a hole in an array": [holed, "1"],
  "NaN": [NaN],
  "infinite numbers": [[Infinity], "0"],
  "negative infinite numbers": [{ a: -Infinity }, "a"],
  "an invalid Date": [new Date(NaN)],
  "a function": [() => 1],
  "a symbol": [Symbol("a")],
  "an instance of a class": [new Money()],
  "a Date of a class of its own": [new Stamp()],
  "a Map of a class of its own": [new Table()],
  "a Set of a class of its own": [new Bag()],
  "an array of a class of its own": [List.from([1])],
  "what inherits from a plain object": [Object.create({ a: 1 })],
  "an Error": [new Error("no")],
  "a RegExp": [/a/],
  "a Promise": [Promise.resolve(1)],
  "a URL": [new URL("http://localhost")],
  "a WeakMap": [new WeakMap()],
  "numbers of another width": [new Float32Array(1)],
  "a DataView": [new DataView(new ArrayBuffer(1))],
  "a boxed text": [Object("a")],
  "a boxed number": [Object(1)],
  "a boxed boolean": [Object(true)],
  "what only says that it is a Date": [Object.create({ [Symbol.toStringTag]: "Date" })],
  "a lone high surrogate": ["\ud800"],
  "a lone low surrogate": ["a\udc00b"],
  "surrogates in the wrong order": ["\udc00\ud800"],
  "a method": [{ total() {} }, "total"],
  "a method toJSON": [{ toJSON: () => "replaced" }],
  "a method toJSON that is not enumerable": [hidden],
  "a cycle": [cycle, "a.b.0"],
  "a bigint of 5,000 digits": [10n ** 5000n],
  "bytes that were transferred": [transferred()],
};

function transferred(): Uint8Array {
  const bytes = new Uint8Array([1, 2, 3]);
  structuredClone(bytes, { transfer: [bytes.buffer] });
  return bytes;
}

function refusal(create: CreateSerializer, value: unknown): UnserializableError {
  return assertThrows(() => create({}).serialize(value), UnserializableError);
}

/** Every promise of the kind. */
export const refusalCases: readonly SerializerCase[] = [
  ...Object.entries(refused).map(([name, [value, path = ""]]): SerializerCase => ({
    name: `refuses ${name}, with its path`,
    run(create) {
      assertEquals(refusal(create, value).details.path, path);
      const inside = path === "" ? "" : `.${path}`;
      if (value !== undefined) assertEquals(refusal(create, { lines: [0, value] }).details.path, `lines.1${inside}`);
      // Also where the thorough way is taken from the start.
      assertEquals(refusal(create, { at: new Date(0), a: { b: [value] } }).details.path, `a.b.0${inside}`);
      assertEquals(refusal(create, new Map([["key", value]])).details.path, `0.1${inside}`);
    },
  })),
  {
    name: "refuses half a surrogate pair in a key, and names it in well-formed text",
    run(create) {
      const error = refusal(create, { a: { "\ud800": 1 } });
      assertEquals(error.details.path, "a.\ufffd");
      assert(error.message.isWellFormed());
    },
  },
  {
    name: "refuses a getter that throws, with its path and the cause",
    run(create) {
      const cause = new Error("no");
      const value = {
        get total(): number {
          throw cause;
        },
      };
      const error = refusal(create, [value]);
      assertEquals(error.details.path, "0.total");
      assertEquals(error.cause, cause);
    },
  },
  {
    name: "refuses a body larger than its limit, and writes one of that size",
    run(create) {
      const sizeInBytes = create({}).serialize("é".repeat(100)).body.length;
      assertEquals(create({ maxBytes: sizeInBytes }).serialize("é".repeat(100)).body.length, sizeInBytes);
      assertThrows(() => create({ maxBytes: sizeInBytes - 1 }).serialize("é".repeat(100)), UnserializableError);
    },
  },
  {
    name: "refuses one level more than its limit, and 100,000 more",
    run(create) {
      const nested = (levels: number): unknown => {
        let value: unknown = 1;
        for (let level = 0; level < levels; level++) value = [value];
        return value;
      };
      const serializer = create({ maxDepth: 10 });
      assertEquals(serializer.deserialize(serializer.serialize(nested(10)).body, undefined), nested(10));
      for (const levels of [11, 100_000]) {
        const error = assertThrows(() => serializer.serialize(nested(levels)), UnserializableError);
        assertEquals(error.details.path, Array(10).fill(0).join("."));
      }
    },
  },
];
