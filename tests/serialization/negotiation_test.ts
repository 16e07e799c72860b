import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { ConfigurationError } from "../../src/errors/configuration.ts";
import { UnknownContentTypeError } from "../../src/errors/receiving.ts";
import { jsonSerializer } from "../../src/serialization/json.ts";
import { Serializers } from "../../src/serialization/negotiation.ts";
import type { Serializer } from "../../src/spi/serializer.ts";
import { test } from "../support/runner.ts";

const other = (contentType: string): Serializer => ({
  contentType,
  serialize: () => ({ body: new Uint8Array(), types: undefined }),
  deserialize: () => undefined,
});

test("JSON writes and reads if nothing is said", () => {
  const serializers = new Serializers();
  assertEquals(serializers.default.contentType, "application/json");
  assertStrictEquals(serializers.pick("application/json"), serializers.default);
  assertEquals(serializers.contentTypes, ["application/json"]);
});

test("case, parameters and spaces make no difference", () => {
  const serializers = new Serializers();
  for (const contentType of ["Application/JSON", "application/json; charset=utf-8", " application/json;v=1;x"]) {
    assertStrictEquals(serializers.pick(contentType), serializers.default);
  }
});

test("JSON is assumed where no content type came", () => {
  const pack = other("application/msgpack");
  for (const contentType of [undefined, "", " ", ";charset=utf-8"]) {
    assertEquals(new Serializers(pack).pick(contentType).contentType, "application/json");
  }
});

test("each reads its own, whichever writes", () => {
  const [pack, masstransit] = [other("application/msgpack"), other("application/vnd.masstransit+json")];
  const serializers = new Serializers(pack, [masstransit, pack]);
  assertStrictEquals(serializers.default, pack);
  assertStrictEquals(serializers.pick("application/msgpack"), pack);
  assertStrictEquals(serializers.pick("application/vnd.masstransit+json;x=1"), masstransit);
  assert(serializers.contentTypes.includes("application/json"));
});

test("a JSON serializer of one's own is the one that reads JSON", () => {
  const own = jsonSerializer({ maxDepth: 8 });
  assertStrictEquals(new Serializers(own).pick("application/json"), own);
  assertStrictEquals(new Serializers(other("a/b"), [own]).pick(undefined), own);
});

test("a content type that nobody reads is refused, with what is read", () => {
  const error = assertThrows(() => new Serializers().pick("text/xml"), UnknownContentTypeError, "application/json");
  assertEquals(error.details, { contentType: "text/xml", known: ["application/json"] });
  assertThrows(() => new Serializers().pick("__proto__"), UnknownContentTypeError);
});

test("two of one content type are refused", () => {
  assertThrows(() => new Serializers(jsonSerializer(), [other("Application/JSON")]), ConfigurationError);
});
