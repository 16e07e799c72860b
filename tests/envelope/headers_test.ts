import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import {
  applicationHeaders,
  checkHeaders as checkHeadersOf,
  headerCount,
  headerText,
  isInfrastructure,
  sizeOfHeaders,
} from "../../src/envelope/headers.ts";
import { InvalidHeaderError } from "../../src/errors/sending.ts";
import { test } from "../support/runner.ts";

const checkHeaders = (headers: Parameters<typeof checkHeadersOf>[0]): void => checkHeadersOf(headers, "orders.submit");

test("text, numbers and booleans are sent", () => {
  checkHeaders({ tenant: "acme", retries: 3, ratio: -0.5, urgent: true, empty: "", tab: "a\tb", wide: "日本 🚀" });
});

for (const name of ["", " ", "a b", "é", "a:b", "a\n", "a\u0000b", "a,b", "(a)", "a".repeat(129), "🚀"]) {
  test(`a header cannot be called ${JSON.stringify(name.slice(0, 12))}`, () => {
    const error = assertThrows(() => checkHeaders({ [name]: "x" }), InvalidHeaderError, `of "orders.submit"`);
    assertEquals(error.code, "HERO_INVALID_HEADER");
    assertStringIncludes(error.message, "its name must be");
  });
}

test("a header can have any name that HTTP allows, up to 128 characters", () => {
  checkHeaders({ "!#$%&'*+-.^_`|~aZ09": 1, ["a".repeat(128)]: 1 });
});

const reserved = [
  "hero-id",
  "Hero-Anything",
  "HERO-",
  "traceparent",
  "TraceState",
  "baggage",
  "content-type",
  "x-death",
  "x-first-death-queue",
  "x-delivery-count",
  "x-opt-sequence",
  "MT-Redelivery-Count",
];
for (const name of reserved) {
  test(`the header "${name}" is the library's or the broker's`, () => {
    assertThrows(() => checkHeaders({ [name]: "x" }), InvalidHeaderError, "belongs to");
    assertEquals(isInfrastructure(name), true);
  });
}
test("names that only begin alike are the application's", () => {
  for (
    const name of ["hero", "heroic", "traceparent-2", "x-baggage", "my-content-type", "x-mt-a", "mt-own", "Mt-Own"]
  ) {
    checkHeaders({ [name]: "x" });
  }
});

test("`__proto__` is refused as a name: receivers in JavaScript would lose it", () => {
  const error = assertThrows(
    () => checkHeaders(JSON.parse(`{"__proto__":"x"}`)),
    InvalidHeaderError,
  );
  assertStringIncludes(error.message, "__proto__");
});

const values: readonly [string, unknown, string][] = [
  ["a line break", "a\nb", "control characters"],
  ["a carriage return", "a\rb", "control characters"],
  ["NUL", "a\u0000", "control characters"],
  ["DEL", "\u007f", "control characters"],
  ["a lone surrogate", "a\ud800", "lone surrogate"],
  ["NaN", NaN, "NaN"],
  ["Infinity", Infinity, "Infinity"],
  ["nothing", null, "object"],
  ["undefined", undefined, "undefined"],
  ["a Date", new Date(), "object"],
  ["a bigint", 5n, "bigint"],
  ["bytes", new Uint8Array(1), "object"],
  ["a function", () => {}, "function"],
];
for (const [what, value, why] of values) {
  test(`a header cannot hold ${what}`, () => {
    const error = assertThrows(() => checkHeaders({ tenant: value } as never), InvalidHeaderError, why);
    assertStringIncludes(error.message, `"tenant"`);
    assertEquals(error.details["header"], "tenant");
  });
}

test("at most 200 headers are sent", () => {
  const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`h${i}`, i]));
  checkHeaders(many(200));
  assertThrows(() => checkHeaders(many(201)), InvalidHeaderError, "more than 200");
});

test("the application sees its own headers, other native values as text", () => {
  const headers = applicationHeaders({
    "hero-id": "1",
    "x-death": "queue",
    "MT-Host": "m",
    "mt-own": "copied",
    tenant: "acme",
    big: 2n ** 63n,
    at: new Date(0),
    never: new Date(NaN),
    bytes: new Uint8Array([1, 2, 3]),
    urgent: true,
    zero: 0,
  });
  assertEquals({ ...headers }, {
    "mt-own": "copied",
    tenant: "acme",
    big: "9223372036854775808",
    at: "1970-01-01T00:00:00.000Z",
    never: "",
    bytes: "AQID",
    urgent: true,
    zero: 0,
  });
});

test("a header called `__proto__` comes as an own property and changes no prototype", () => {
  const headers = applicationHeaders(JSON.parse(`{"__proto__":"x","a":"1"}`));
  assertEquals(Object.keys(headers).sort(), ["__proto__", "a"]);
  assertEquals(headers["__proto__"], "x");
  assertEquals(({} as Record<string, unknown>)["admin"], undefined);
});

test("a header is read as text: bytes are UTF-8, numbers decimal", () => {
  assertEquals(headerText(new TextEncoder().encode("é")), "é");
  assertEquals(headerText(42), "42");
  assertEquals(headerText(undefined), undefined);
  assertEquals(headerText(new Uint8Array([0xff])), "\ufffd");
});

test("a count is whole and ≥ 0; anything else counts as none", () => {
  assertEquals([3, "3", new TextEncoder().encode("3")].map(headerCount), [3, 3, 3]);
  const none = [undefined, "", "-1", -1, 1.5, "x", NaN, "9007199254740993", true];
  assertEquals(none.map(headerCount), none.map(() => 0));
});

test("headers are measured in bytes, not in characters", () => {
  const bytes = (text: string) => sizeOfHeaders({ a: text }) - sizeOfHeaders({ a: "" });
  assertEquals([bytes("abc"), bytes("éé"), bytes("日本"), bytes("🚀"), bytes("\ud800")], [3, 4, 6, 4, 3]);
  assertEquals(sizeOfHeaders({ a: new Uint8Array(100) }) - sizeOfHeaders({ a: new Uint8Array(0) }), 100);
});
