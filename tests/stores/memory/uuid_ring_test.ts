/** Many UUIDs, each until a time. */
import { assertEquals } from "@std/assert";
import { createUuidV7 } from "../../../src/values/uuid_v7.ts";
import { UuidRing } from "../../../stores/memory/uuid_ring.ts";
import { test } from "../../support/runner.ts";

test("UUID ring: whatever comes and goes, it knows what is there, and nothing else", () => {
  const ring = new UuidRing();
  let now = 1_000;
  const newId = createUuidV7({ now: () => now });
  const model = new Map<string, number>();
  let seed = 1;
  const next = (below: number): number => (seed = Math.imul(seed, 48271) >>> 0) % below;
  const gone: string[] = [];
  for (let step = 0; step < 6_000; step++) {
    now += next(3);
    // Ids of one millisecond differ in their ends alone, others everywhere.
    const id = next(4) === 0 ? crypto.randomUUID() : newId();
    assertEquals(ring.has(id), false);
    assertEquals(ring.add(id, now), true);
    model.set(id, now);
    if (next(50) === 0) {
      const limit = next(200);
      const before = now - next(300);
      const expected = [...model].filter(([, until]) => until < before).slice(0, limit).map(([each]) => each);
      assertEquals(ring.sweep(limit, before), expected.length);
      for (const each of expected) model.delete(each);
      gone.push(...expected);
    }
  }
  assertEquals(ring.size, model.size);
  assertEquals([...model.keys()].filter((id) => ring.has(id) !== true), []);
  assertEquals(gone.filter((id) => ring.has(id) !== false), []);
  assertEquals(ring.latest, now);
  assertEquals(ring.sweep(Infinity, now + 1), model.size);
  assertEquals([ring.size, ring.latest], [0, -Infinity]);
});

test("UUID ring: what is no UUID, or another spelling of one, is not taken for one", () => {
  const ring = new UuidRing();
  const id = "01234567-89ab-7def-8123-456789abcdef";
  assertEquals(ring.add(id, 1), true);
  assertEquals(ring.has(`${id}#0`), true);
  for (
    const other of [
      id.toUpperCase(),
      id.replace("a", "A"),
      id.replace("b", "g"),
      id.replaceAll("-", "_"),
      id.replace("0", "\u0130"),
      id.slice(1),
      "",
      "an order of 36 letters, and no UUID!!",
    ]
  ) {
    assertEquals(ring.has(other), undefined, other);
    assertEquals(ring.add(other, 2), false, other);
  }
  assertEquals(ring.size, 1);
});

test("UUID ring: ids that all end alike find their places, and are forgotten as others", () => {
  const ring = new UuidRing();
  const ids = Array.from(
    { length: 3_000 },
    (_, at) => `${at.toString(16).padStart(8, "0")}-0000-7000-8000-000000000000`,
  );
  for (const [at, id] of ids.entries()) assertEquals([ring.has(id), ring.add(id, at)], [false, true]);
  assertEquals(ids.filter((id) => ring.has(id) !== true), []);
  assertEquals(ring.sweep(Infinity, 1_500), 1_500);
  assertEquals(ids.filter((id, at) => ring.has(id) !== (at >= 1_500)), []);
});

test("UUID ring: what was looked for is added in its own place, whatever was looked for and added in between", () => {
  const newId = createUuidV7({ now: () => 1_000 });
  const [one, other] = [new UuidRing(), new UuidRing()];
  const added: string[] = [];
  for (let round = 0; round < 500; round++) {
    const [a, b] = [newId(), newId()];
    one.has(a);
    one.has(b);
    one.add(b, 1);
    other.has(a);
    one.add(a, 1);
    other.add(a, 1);
    added.push(a, b);
  }
  assertEquals([one.size, other.size], [1_000, 500]);
  assertEquals(added.filter((id) => one.has(id) !== true), []);
  assertEquals(added.filter((id, at) => other.has(id) !== (at % 2 === 0)), []);
});
