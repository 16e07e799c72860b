/** The names that options may have: JavaScript has nobody else to tell of a typo. @module */
import { ConfigurationError } from "../errors/configuration.ts";
import { shown } from "../errors/shown.ts";

/** The names of all options of a kind: one that is added to the type must be added here. */
export type OptionNames<Options> = Readonly<Record<NameOf<Options>, true>>;
type NameOf<Options> = Options extends unknown ? keyof Options & string : never;

/**
 * Refuses options that there are not, and what is no object of options.
 *
 * @param whose as in `the endpoint "orders"`
 * @throws {ConfigurationError} which names the nearest
 */
export function checkOptionNames(options: object, names: Readonly<Record<string, true>>, whose: string): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw noOptionsAtAll(options, Object.keys(names), whose);
  }
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(names, name)) throw unknownOption(name, Object.keys(names), whose);
  }
}

/** From JavaScript anything may be given, and a text would be taken for a list of its letters. */
export function noOptionsAtAll(given: unknown, known: readonly string[], whose: string): ConfigurationError {
  const what = Array.isArray(given) ? "a list" : shown(given);
  return new ConfigurationError(
    `Cannot use ${what} as the options of ${whose}: they are an object. It may have { ${known.join(", ")} }`,
  );
}

/**
 * Refuses what comes after the only argument: other libraries take options there, and here they would have no effect.
 *
 * @param more what else was given
 * @param instead as in `sqlite({ path, … })`
 * @throws {ConfigurationError} if it is anything
 */
export function checkOnlyArgument(more: readonly unknown[], whose: string, instead: string): void {
  if (more.every((each) => each === undefined)) return;
  throw new ConfigurationError(
    `Cannot use ${shown(more[0])} as a second argument of ${whose}: it has one. Say all in that: ${instead}`,
  );
}

/** What an option that there is not deserves; it names the nearest. */
export function unknownOption(name: string, known: readonly string[], whose: string): ConfigurationError {
  const nearest = nearestOf(name, known);
  return new ConfigurationError(
    `Cannot use { ${name} } for ${whose}: there is no such option. ` +
      (nearest === undefined ? `It may have { ${known.join(", ")} }` : `Write { ${nearest} } if that is meant`),
    { details: { option: name, nearest } },
  );
}

/** Of which no more than half must be changed. */
function nearestOf(name: string, known: readonly string[]): string | undefined {
  const [first] = known.map((each) => ({ each, changes: changesBetween(name.toLowerCase(), each.toLowerCase()) }))
    .sort((a, b) => a.changes - b.changes);
  return first !== undefined && first.changes * 2 <= Math.max(name.length, first.each.length) ? first.each : undefined;
}

/** How many letters to add, take away or replace: Levenshtein's distance, a row at a time. */
function changesBetween(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
