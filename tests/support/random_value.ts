/** Any value that a serializer carries, from a seed. */
import type { Random } from "../../src/values/random.ts";

const texts: readonly string[] = [
  "",
  "a",
  "Zoë",
  "李",
  "😀",
  "\0",
  "\u2028",
  '"',
  "\\ud800",
  "a\nb",
  "\ufffd",
  "\ufeffa",
];
const keys: readonly string[] = [
  ...["a", "b", "at", "", "*", "a.b", "a=date", ",", "%", "%2E", "0", "1", "-1", "length", "é", "😀", "__proto__"],
  ...["constructor", "toString", "hasOwnProperty", " ", "\n", "'", "(", "~", "toJSON"],
];
const numbers: readonly number[] = [0, 1, -1, 0.1, 1e21, 1e-7, 5e-324, Number.MAX_VALUE, Number.MAX_SAFE_INTEGER];

/** A value of every kind, nested up to `depth` times. */
export function randomValue(random: Random, depth: number): unknown {
  const below = (limit: number): number => Math.floor(random() * limit);
  const pick = <T>(from: readonly T[]): T => from[below(from.length)]!;
  const many = <T>(make: () => T): T[] => Array.from({ length: below(6) }, make);
  const value = (): unknown => randomValue(random, depth - 1);
  switch (below(depth > 0 ? 14 : 9)) {
    case 0:
      return null;
    case 1:
      return random() < 0.5;
    case 2:
      return pick(numbers);
    case 3:
      return pick(texts);
    case 4:
      return random() * 1e6;
    case 5:
      return new Date(Math.floor((random() - 0.5) * 2 * 8.64e15));
    case 6:
      return BigInt(below(1000) - 500) ** BigInt(below(9));
    case 7:
      return Uint8Array.from(many(() => below(256)));
    case 8:
      return Uint8Array.from(many(() => below(256))).buffer;
    case 9:
      return many(value);
    case 10:
      return new Map(many(() => [pick(texts), value()] as const));
    case 11:
      return new Set(many(() => pick<unknown>([...texts, ...numbers, value()])));
    case 12: { // Alike elements, with something missing here and there.
      const properties = many(() => pick(keys));
      const kind = below(4);
      return many(() =>
        random() < 0.2
          ? null
          : record(properties.filter(() => random() < 0.8), () =>
            random() < 0.2 ? null : kind === 0 ? value() : new Date(below(1e9)))
      );
    }
    default:
      return record(many(() => pick(keys)), value);
  }
}

/** An object with own properties of any name. */
export function record(names: readonly string[], value: () => unknown): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, value()])); // defines, so `__proto__` is a property like others
}
