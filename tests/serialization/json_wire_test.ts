/**
 * The wire, held fast: `tests/fixtures/json_wire.json` has the bytes as text, and the types. Messages written so lie in
 * queues and stores: a change here is a new content type, not a new fixture.
 */
import { assertEquals } from "@std/assert";
import fixtures from "../fixtures/json_wire.json" with { type: "json" };
import { jsonSerializer } from "../../src/serialization/json.ts";
import { test } from "../support/runner.ts";

const at = new Date("2024-02-29T12:34:56.789Z");
const values: Readonly<Record<keyof typeof fixtures, unknown>> = {
  plain: { orderId: "42", total: 29.9, paid: false, note: null, lines: [{ sku: "A", n: 1 }, { sku: "Ünï 😀", n: 2 }] },
  empty: {},
  undefinedLeftOut: { a: undefined, b: 1 },
  kinds: { at, n: 12345678901234567890n, bytes: new Uint8Array([0, 255, 62]), buffer: new Uint8Array([1]).buffer },
  alone: at,
  containers: { map: new Map([["a", at], ["b", at]]), set: new Set([1n, 2n]), plain: new Map([[1, "x"]]) },
  mapWithMixedKeys: new Map<unknown, unknown>([[1n, at], ["x", null]]),
  lines: { lines: [{ due: at, tags: [1n, 2n] }, { due: null, tags: [] }, { tags: [3n] }] },
  unlike: [{ at }, { at: at.toISOString() }],
  record: Object.fromEntries(Array.from("abcdefghi", (key) => [key, at])),
  fewProperties: { a: at, b: at },
  keys: { "": at, "*": at, "a.b": at, "c=d": at, "é": at, "a-b_c": at, "'()!~ ": at },
};

for (const [name, fixture] of Object.entries(fixtures)) {
  const value = values[name as keyof typeof fixtures];

  test(`json writes "${name}" as ever`, () => {
    const { body, types } = jsonSerializer().serialize(value);
    assertEquals({ body: new TextDecoder().decode(body), types: types ?? null }, fixture);
  });

  test(`json reads "${name}" as ever`, () => {
    const read = jsonSerializer().deserialize(new TextEncoder().encode(fixture.body), fixture.types ?? undefined);
    assertEquals(read, name === "undefinedLeftOut" ? { b: 1 } : value);
  });
}
