/** What every serializer promises, as cases: `src/spi/serializer.ts` in words, this in deeds. */
import type { SerializerLimits } from "../../src/serialization/limits.ts";
import type { Serializer } from "../../src/spi/serializer.ts";
import { hostileCases } from "./serializer/hostile_cases.ts";
import { refusalCases } from "./serializer/refusal_cases.ts";
import { roundTripCases } from "./serializer/round_trip_cases.ts";
import { register, type TestCase, withDeviations } from "./test_case.ts";

export { register };
export type { TestCase };

/** Makes the serializer under test. */
export type CreateSerializer = (limits: SerializerLimits) => Serializer;

/** A claim, and how it is tried. */
export interface SerializerCase {
  readonly name: string;
  run(create: CreateSerializer): void;
}

/**
 * Every promise of a serializer as a case.
 *
 * @param deviations case → reason: must fail; one that passes is a failure
 */
export function serializerConformance(
  create: CreateSerializer,
  deviations: Readonly<Record<string, string>> = {},
): readonly TestCase[] {
  const cases = [...roundTripCases, ...refusalCases, ...hostileCases].map(({ name, run }) => ({
    name,
    run: () => Promise.resolve().then(() => run(create)),
  }));
  return withDeviations(cases, deviations);
}
