import { assert, assertEquals, assertMatch } from "@std/assert";
import { randomBytes, seededRandom } from "../../src/values/random.ts";
import { createUuidV7, type Uuid } from "../../src/values/uuid_v7.ts";
import { test } from "../support/runner.ts";

const form = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const timeOf = (id: string) => parseInt(id.slice(0, 8) + id.slice(9, 13), 16);

/** A clock that stands at each of the times once, then at the last. */
function clockAt(...times: number[]) {
  let at = 0;
  return { now: () => times[Math.min(at++, times.length - 1)] ?? NaN };
}

test("an id has the form of a UUIDv7 and the time of the clock", () => {
  // The time of RFC 9562's own example (A.6), 017F22E2-79B0-7….
  const newId = createUuidV7(clockAt(0x017f22e279b0));
  const id = newId();
  assertMatch(id, form);
  assertEquals(id.slice(0, 15), "017f22e2-79b0-7");
  assertEquals(timeOf(createUuidV7({ now: () => 0 })()), 0);
  assertEquals(timeOf(createUuidV7({ now: () => 2 ** 48 - 1 })()), 2 ** 48 - 1);
  assertEquals(timeOf(createUuidV7({ now: () => 5.9 })()), 5);
});

test("who has just read the clock says what it told, and the order holds", () => {
  const newId = createUuidV7({ now: () => 1000 });
  const ids = [newId(), newId(2000), newId(1500), newId()];
  assertEquals(ids.map(timeOf), [1000, 2000, 2000, 2000]);
  assertEquals(ids.toSorted(), ids);
});

test("the source tells the id that it made last as a number, whose time may be ahead of the clock", () => {
  const textOf = ({ head: { first, second, third, fourth }, end }: Uuid): string =>
    [first, second, third, fourth | end].map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  const times = [5000, 4000, 5001.5, 5001.5, 0x017f22e279b0, 2 ** 48 - 1, NaN];
  let calls = 0;
  const newId = createUuidV7({ now: () => times[calls++ >> 12] ?? NaN });
  let last: Uuid | undefined;
  while (calls >> 12 < times.length) {
    const id = newId();
    const uuid = newId.last();
    if (textOf(uuid) !== id.replaceAll("-", "")) throw new Error(`${textOf(uuid)} of ${id}`);
    if (uuid.head.time !== timeOf(id)) throw new Error(`${uuid.head.time} in ${id}`);
    // What one id is does not change with the next.
    assert(last === undefined || textOf(last) < textOf(uuid));
    last = uuid;
  }
});

test("300,000 ids in one millisecond are different and in order", () => {
  const newId = createUuidV7({ now: () => 1000 });
  let previous = "";
  for (let count = 0; count < 300_000; count++) {
    const id = newId();
    if (!(id > previous) || !form.test(id)) throw new Error(`${id} after ${previous}`);
    previous = id;
  }
  assertEquals(timeOf(previous), 1000);
});

test("ids stay in order when the clock goes back, stands or breaks", () => {
  const newId = createUuidV7(clockAt(5000, 5001, 4000, -5, NaN, Infinity, 2 ** 48, 5001, 5002));
  const ids = Array.from({ length: 9 }, newId);
  assertEquals(ids, ids.toSorted());
  assertEquals(new Set(ids).size, 9);
  assertEquals(ids.map(timeOf), [5000, 5001, 5001, 5001, 5001, 5001, 5001, 5001, 5002]);
});

test("a clock that is broken from the start still gives ids in order", () => {
  for (const now of [NaN, -1, 2 ** 48]) {
    const newId = createUuidV7({ now: () => now });
    const ids = Array.from({ length: 100 }, newId);
    assertEquals(ids, ids.toSorted());
    assertEquals(new Set(ids).size, 100);
    for (const id of ids) assertMatch(id, form);
  }
});

test("when the lower count of a millisecond is used up the upper one goes on, then the time runs ahead", () => {
  const newId = createUuidV7({ now: () => 1000 }, (bytes) => void bytes.fill(255));
  // Bits of 1 begin each count in the middle: 2,049 ids to a head, and as many heads to a millisecond.
  const perHead = 4096 - 2047;
  const ids = Array.from({ length: perHead + 1 }, newId);
  assertEquals([ids[0], ids[perHead - 1], ids[perHead]], [
    "00000000-03e8-77ff-bfff-fffffffff7ff",
    "00000000-03e8-77ff-bfff-ffffffffffff",
    "00000000-03e8-7800-bfff-fffffffff7ff",
  ]);
  assertEquals(ids, ids.toSorted());
  let last = "";
  for (let count = perHead + 1; count <= perHead * perHead; count++) last = newId();
  assertEquals(last, "00000000-03e9-7000-bfff-fffffffff7ff");
});

test("two sources at the same time give different ids", () => {
  const [one, two] = [createUuidV7({ now: () => 1000 }), createUuidV7({ now: () => 1000 })];
  const ids = new Set<string>();
  for (let count = 0; count < 10_000; count++) ids.add(one()).add(two());
  assertEquals(ids.size, 20_000);
});

test("the same seed and times give the same ids", () => {
  const ids = (seed: number) => {
    let now = 0;
    return Array.from({ length: 1000 }, createUuidV7({ now: () => now++ >> 2 }, randomBytes(seededRandom(seed))));
  };
  assertEquals(ids(1), ids(1));
  assert(ids(1).join() !== ids(2).join());
});

test("random bytes are asked for in blocks, small ones first", () => {
  const sizes: number[] = [];
  const newId = createUuidV7({ now: () => 1000 }, (bytes) => void sizes.push(bytes.length));
  for (let count = 0; count < 100_000; count++) newId();
  assert((sizes[0] ?? 0) <= 1024 && sizes.length < 20 && Math.max(...sizes) <= 65_536, sizes.join());
});
