/** Whatever comes in: a value or an `UnreadableMessageError`, in linear time, and nothing else changes. */
import { assertEquals, assertThrows } from "@std/assert";
import { UnreadableMessageError } from "../../../src/errors/receiving.ts";
import type { Serializer } from "../../../src/spi/serializer.ts";
import { type Random, seededRandom } from "../../../src/values/random.ts";
import { randomValue } from "../../support/random_value.ts";
import type { SerializerCase } from "../serializer.ts";

/** Anything but an `UnreadableMessageError` fails the case. */
function readOrRefuse(serializer: Serializer, body: Uint8Array, types: string | undefined): void {
  try {
    serializer.deserialize(body, types);
  } catch (error) {
    if (!(error instanceof UnreadableMessageError)) throw error;
  }
  assertEquals(Reflect.ownKeys(Object.prototype).filter((key) => key === "admin" || key === "a"), []);
}

const order = {
  id: 1n,
  at: new Date(0),
  lines: [{ due: new Date(1), bytes: new Uint8Array([1]) }],
  map: new Map([[1, 2n]]),
};

function changed(bytes: Uint8Array, random: Random): Uint8Array {
  const copy = bytes.slice();
  for (let times = 0; times < 3; times++) copy[Math.floor(random() * copy.length)] = Math.floor(random() * 256);
  return copy;
}

/** Every promise of the kind. */
export const hostileCases: readonly SerializerCase[] = [
  {
    name: "refuses an empty body",
    run: (create) =>
      void assertThrows(() => create({}).deserialize(new Uint8Array(), undefined), UnreadableMessageError),
  },
  {
    name: "refuses a body cut anywhere",
    run(create) {
      const { body, types } = create({}).serialize(order);
      for (let length = 0; length < body.length; length++) {
        assertThrows(() => create({}).deserialize(body.subarray(0, length), types), UnreadableMessageError);
      }
    },
  },
  {
    name: "refuses a body larger than its limit",
    run(create) {
      const { body } = create({ maxBytes: 20_000_000 }).serialize("x".repeat(10_000_000));
      assertThrows(() => create({}).deserialize(body, undefined), UnreadableMessageError, "bytes");
    },
  },
  {
    name: "reads or refuses bodies with any bytes changed (2,000 seeds)",
    run(create) {
      const serializer = create({});
      for (let seed = 0; seed < 2000; seed++) {
        const random = seededRandom(seed);
        const { body, types } = serializer.serialize(randomValue(random, 4));
        readOrRefuse(serializer, changed(body, random), types);
      }
    },
  },
  {
    name: "reads or refuses types that belong to another body, or have any character changed (2,000 seeds)",
    run(create) {
      const serializer = create({});
      for (let seed = 0; seed < 2000; seed++) {
        const random = seededRandom(seed);
        const [one, other] = [0, 1].map(() => serializer.serialize(randomValue(random, 4)));
        readOrRefuse(serializer, one!.body, other!.types);
        if (one!.types === undefined) continue;
        const text = new TextDecoder().decode(changed(new TextEncoder().encode(one!.types), random));
        readOrRefuse(serializer, one!.body, text);
      }
    },
  },
  {
    name: "reads or refuses any text as types",
    run(create) {
      const serializer = create({});
      const { body } = serializer.serialize({ ...order, a: {} });
      const long = ["=", ",", ".", "*", "%", "a=date,", "*.", "a.", "__proto__.", "a.a=date,"].map((each) =>
        each.repeat(1_000_000)
      );
      for (
        const types of ["", "\0", "\ud800", "__proto__=map", "__proto__.admin=date", "constructor.a=date", ...long]
      ) {
        readOrRefuse(serializer, body, types);
      }
    },
  },
];
