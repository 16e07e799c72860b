/** A stand-in for the part of `@std/assert` that the tests use, where JSR cannot be reached. */
import assertion from "node:assert/strict";

// deno-lint-ignore no-explicit-any -- as the original: any constructor
type ErrorConstructor<E extends Error> = abstract new (...args: any[]) => E;

export class AssertionError extends Error {
  override name = "AssertionError";
}
export function assert(condition: unknown, message = "Expected a truthy value"): asserts condition {
  if (!condition) throw new AssertionError(message);
}
export function assertEquals<T>(actual: T, expected: T, message?: string): void {
  assertion.deepStrictEqual(actual, expected, message);
}
export function assertNotEquals<T>(actual: T, expected: T, message?: string): void {
  assertion.notDeepStrictEqual(actual, expected, message);
}
export function assertStrictEquals<T>(actual: unknown, expected: T, message?: string): asserts actual is T {
  if (!Object.is(actual, expected)) {
    throw new AssertionError(message ?? `Expected ${String(actual)} to be ${String(expected)}`);
  }
}
export function assertExists<T>(actual: T, message = "Expected a value"): asserts actual is NonNullable<T> {
  if (actual === undefined || actual === null) throw new AssertionError(message);
}
export function assertInstanceOf<E extends abstract new (...args: never[]) => unknown>(
  actual: unknown,
  expected: E,
  message?: string,
): asserts actual is InstanceType<E> {
  if (!(actual instanceof expected)) {
    throw new AssertionError(message ?? `Expected ${String(actual)} to be an instance of ${expected.name}`);
  }
}
export function assertMatch(actual: string, expected: RegExp, message?: string): void {
  if (!expected.test(actual)) throw new AssertionError(message ?? `Expected "${actual}" to match ${expected}`);
}
export function assertStringIncludes(actual: string, expected: string, message?: string): void {
  if (!actual.includes(expected)) throw new AssertionError(message ?? `Expected "${actual}" to contain "${expected}"`);
}
export function assertGreater<T>(actual: T, expected: T, message?: string): void {
  if (!(actual > expected)) throw new AssertionError(message ?? `Expected ${actual} > ${expected}`);
}
export function assertLess<T>(actual: T, expected: T, message?: string): void {
  if (!(actual < expected)) throw new AssertionError(message ?? `Expected ${actual} < ${expected}`);
}
export function fail(message = "Failed"): never {
  throw new AssertionError(message);
}
function checked<E extends Error>(
  error: unknown,
  expected: ErrorConstructor<E> | undefined,
  includes: string | undefined,
): E {
  if (expected !== undefined) assertInstanceOf(error, expected);
  if (includes !== undefined) assertStringIncludes((error as Error).message, includes);
  return error as E;
}
export function assertThrows<E extends Error = Error>(
  run: () => unknown,
  expected?: ErrorConstructor<E>,
  includes?: string,
): E {
  try {
    run();
  } catch (error) {
    return checked(error, expected, includes);
  }
  throw new AssertionError("Expected the function to throw");
}
export async function assertRejects<E extends Error = Error>(
  run: () => PromiseLike<unknown>,
  expected?: ErrorConstructor<E>,
  includes?: string,
): Promise<E> {
  try {
    await run();
  } catch (error) {
    return checked(error, expected, includes);
  }
  throw new AssertionError("Expected the promise to reject");
}
