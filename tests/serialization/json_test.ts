import { runInNewContext } from "node:vm";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ConfigurationError } from "../../src/errors/configuration.ts";
import { UnreadableMessageError } from "../../src/errors/receiving.ts";
import { UnserializableError } from "../../src/errors/sending.ts";
import { jsonSerializer } from "../../src/serialization/json.ts";
import { test } from "../support/runner.ts";

const json = jsonSerializer();
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const unreadable = (body: string | Uint8Array, why: string, types?: string): void => {
  const error = assertThrows(
    () => json.deserialize(typeof body === "string" ? encode(body) : body, types),
    UnreadableMessageError,
  );
  assert(String(error.details.why).includes(why), error.message);
};

test("bodies that are not JSON in UTF-8 are refused, each with its reason", () => {
  unreadable("", "empty");
  unreadable("{", "not JSON");
  unreadable("nope", "not JSON");
  unreadable("{} {}", "not JSON");
  unreadable("\ufeff{}", "byte order mark");
  unreadable(new Uint8Array([0x22, 0xff, 0x22]), "not UTF-8");
  unreadable(new Uint8Array([0x22, 0xed, 0xa0, 0x80, 0x22]), "not UTF-8"); // a surrogate, encoded
  unreadable(new Uint8Array([0x22, 0xc0, 0xaf, 0x22]), "not UTF-8"); // overlong
  unreadable(new Uint8Array([0xff, 0xfe, 0x7b, 0, 0x7d, 0]), "not UTF-8"); // UTF-16
});

test("the text of a body that is not JSON stays out of the error's own text", () => {
  const error = assertThrows(() => json.deserialize(encode('{"card":4111111}}'), undefined), UnreadableMessageError);
  assert(!error.message.includes("4111111"));
  assert(error.cause instanceof SyntaxError);
});

test("scalars, null and arrays are values like others", () => {
  for (const value of [null, [], 0, "", false]) {
    assertEquals(json.deserialize(encode(JSON.stringify(value)), undefined), value);
  }
});

test("bodies deeper than the limit are refused whatever their size, and the limit itself is read", () => {
  for (const [open, close] of [["[", "]"], ['{"a":', "}"], ['[{"[": ', "}]"]] as const) {
    const perRound = open.startsWith("[{") ? 2 : 1;
    const nested = (levels: number, beside = ""): string =>
      `[${beside}${open.repeat(levels / perRound)}1${close.repeat(levels / perRound)}]`;
    const manyContainers = "{},".repeat(200);
    const large = `"${"x".repeat(100_000)}\\"","\\\\",`;
    for (const beside of ["", manyContainers, large, large + manyContainers]) {
      if (perRound === 1) json.deserialize(encode(nested(63, beside)), undefined);
      else json.deserialize(encode(nested(62, beside)), undefined);
      for (const levels of [64, 10_000, 1_000_000]) unreadable(encode(nested(levels, beside)), "nested deeper than 64");
    }
  }
});

test("brackets in text are not levels", () => {
  for (const text of ["[".repeat(100), '\\"['.repeat(50_000), `\\${"[{".repeat(50_000)}`]) {
    const { body, types } = json.serialize([text]);
    assertEquals(json.deserialize(body, types), [text]);
  }
});

test("a body with __proto__ gives a property, and no prototype is set", () => {
  const read = json.deserialize(encode('{"__proto__":{"admin":true}}'), undefined) as Record<string, unknown>;
  assertEquals(read.admin, undefined);
  assertEquals(({} as Record<string, unknown>).admin, undefined);
  assertEquals(Object.keys(read), ["__proto__"]);
  const typed = json.deserialize(encode('{"__proto__":[["admin",true]]}'), "__proto__=map") as Record<string, unknown>;
  assertEquals(Object.getPrototypeOf(typed), Object.prototype);
  assertEquals(Object.getOwnPropertyDescriptor(typed, "__proto__")?.value, new Map([["admin", true]]));
});

test("types that reach for what a body does not have are passed over", () => {
  const body = '{"a":{"b":1},"list":[1,null],"n":null}';
  for (
    const types of [
      ...["x=date", "a.x=date", "a.b.c=date", "list.2=date", "list.-1=date", "list.01=date", "list.length=bigint"],
      ...["list.1=date", "n=map,n.*.1=date", "__proto__=date", "__proto__.admin=date", "constructor.prototype.x=date"],
      ...["toString=date", "a.hasOwnProperty=set"],
    ]
  ) assertEquals(json.deserialize(encode(body), types), JSON.parse(body), types);
});

test("types that a value is not written as are refused", () => {
  for (
    const [body, types, why] of [
      ['"soon"', "=date", "ISO 8601"],
      ['"2024-13-01T00:00:00Z"', "=date", "ISO 8601"],
      ['"2024"', "=date", "ISO 8601"],
      ["0", "=date", "a number"],
      ["12", "=bigint", "a number"],
      ['"0x10"', "=bigint", "whole digits"],
      ['""', "=bigint", "whole digits"],
      [`"${"9".repeat(5000)}"`, "=bigint", "whole digits"],
      ['"*"', "=bytes", "base64"],
      ["[1]", "=buffer", "base64"],
      ["{}", "=map", "entries"],
      ["[1]", "=map", "entries"],
      ["[[1]]", "=map", "entries"],
      ["[[1,2],[1,3]]", "=map", "different keys"],
      ["[1,1]", "=set", "different members"],
      ['"a"', "=set", "an array"],
      ["[[1],[2]]", "*=date", "another array"],
    ] as const
  ) unreadable(body, why, types);
});

test("types that are malformed are refused", () => {
  for (
    const [types, why] of [
      ["", "has no kind"],
      ["a", "has no kind"],
      ["a=date,", "has no kind"],
      ["a=Date", "unknown"],
      ["a=constructor", "unknown"],
      ["a=date=date", "unknown"],
      ["a=date,a=date", "stands twice"],
      ["a.*=date,a.b=date", '"*"'],
      ["a.b=date,a.*=date", '"*"'],
      ["a..b=date", "escaped"],
      [".a=date", "escaped"],
      ["a b=date", "escaped"],
      ["%2=date", "escaped"],
      ["%ff=date", "escaped"],
      ["%FF=date", "UTF-8"],
      [`${"a.".repeat(64)}a=date`, "deeper"],
      [`${"x".repeat(9_000_000)}=date`, "characters"],
    ] as const
  ) unreadable("{}", why, types);
});

test("what many types reach for in many values takes time linear to both", () => {
  // Each would take hours if every type met every value.
  const names = Array.from({ length: 100_000 }, (_, index) => `*.k${index}=date`).join(",");
  json.deserialize(encode(`[${"{},".repeat(100_000)}{}]`), names);
  const indices = Array.from({ length: 100_000 }, (_, index) => `*.${index}=date`).join(",");
  json.deserialize(encode(`[${"[],".repeat(100_000)}[]]`), indices);
  unreadable(`[${"1,".repeat(100_000)}1]`, '"*"', "0.0.0=date,0.0.*=date,0.*.0=date,*.0.0=date");
});

test("dates of other languages are read: other digits of the second, an offset", () => {
  for (const text of ["2024-02-29T12:34:56Z", "2024-02-29T14:34:56.0000000+02:00"]) {
    assertEquals(json.deserialize(encode(`"${text}"`), "=date"), new Date("2024-02-29T12:34:56.000Z"));
  }
});

test("what is no data is left out: symbol keys, hidden properties, named properties of an array", () => {
  const list: unknown[] = Object.assign([1], { named: 2 });
  const value: object = Object.defineProperty({ list, [Symbol("s")]: 1 }, "hidden", { value: 1 });
  assertEquals(new TextDecoder().decode(json.serialize(value).body), '{"list":[1]}');
});

test("minus zero arrives as zero, its equal", () => {
  const { body, types } = json.serialize([-0, { at: new Date(0), n: -0 }]);
  assertEquals(json.deserialize(body, types), [0, { at: new Date(0), n: 0 }]);
});

test("bytes of a class of its own arrive as the bytes they are", () => {
  class Hash extends Uint8Array {
    toJSON(): string {
      return "replaced";
    }
  }
  const { body, types } = json.serialize({ hash: new Hash([1, 2]) });
  assertEquals(json.deserialize(body, types), { hash: new Uint8Array([1, 2]) });
});

test("a method toJSON on the prototype of all objects is refused, not obeyed", () => {
  Object.defineProperty(Object.prototype, "toJSON", { value: () => "replaced", configurable: true });
  try {
    assertThrows(() => json.serialize({ a: 1 }), UnserializableError, "toJSON");
  } finally {
    delete (Object.prototype as { toJSON?: unknown }).toJSON;
  }
});

test("a getter that changes its mind between the two ways is read once on the thorough one", () => {
  let reads = 0;
  const value = {
    at: new Date(0),
    get n(): number {
      return ++reads === 1 ? 1 : NaN;
    },
  };
  const { body, types } = json.serialize(value);
  assertEquals(json.deserialize(body, types), { at: new Date(0), n: 1 });
});

test("limits that are no whole numbers in range are refused", () => {
  for (const maxDepth of [0, -1, 1.5, NaN, 1001]) assertThrows(() => jsonSerializer({ maxDepth }), ConfigurationError);
  for (const maxBytes of [0, -1, 1.5, NaN, Infinity]) {
    assertThrows(() => jsonSerializer({ maxBytes }), ConfigurationError);
  }
});

test("plain data of another realm is plain data; its class instances are not", () => {
  const foreign: unknown = runInNewContext(`({
    list: [1, { at: new Date(0) }], map: new Map([["a", 1n]]), set: new Set([1]), bytes: new Uint8Array([1]),
    bare: Object.assign(Object.create(null), { a: 1 }), buffer: new Uint8Array([2]).buffer,
  })`);
  const { body, types } = json.serialize(foreign);
  assertEquals(json.deserialize(body, types), {
    list: [1, { at: new Date(0) }],
    map: new Map([["a", 1n]]),
    set: new Set([1]),
    bytes: new Uint8Array([1]),
    bare: { a: 1 },
    buffer: new Uint8Array([2]).buffer,
  });
  for (
    const source of ["new (class Money { amount = 1 })", "new (class extends Date {})", "new (class extends Array {})"]
  ) {
    assertThrows(() => json.serialize(runInNewContext(source)), UnserializableError);
  }
});
