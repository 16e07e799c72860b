/** What can be scheduled, and when. @module */
import type { Contract } from "../contracts/contract.ts";
import { type Definition, definitionOf } from "../contracts/definition.ts";
import { ConfigurationError } from "../errors/configuration.ts";
import { type Duration, milliseconds } from "../values/duration.ts";
import { epochMilliseconds, type Instant } from "../values/instant.ts";
import type { When } from "./sending.ts";

/** @throws {ConfigurationError} for what is no contract, or a query */
export function checkSchedule(contract: Contract): Definition {
  const definition = definitionOf(contract, "the contract to schedule");
  if (definition.kind !== "query") return definition;
  throw new ConfigurationError(
    `Cannot schedule "${definition.name}": nobody would get its answer. Schedule a command`,
  );
}

/**
 * When something scheduled is due, in epoch milliseconds; may be past.
 *
 * @throws {ConfigurationError} if it does not say when
 */
export function dueTimeOf(when: When, now: number, contract: string): number {
  // From JavaScript it may be a text or a date by itself, or say both.
  const given: { readonly in?: Duration; readonly at?: Instant } = typeof when === "object" && when !== null
    ? when
    : {};
  const both = given.in !== undefined && given.at !== undefined;
  if (!both && "in" in given && given.at === undefined) {
    return now + milliseconds(given.in as Duration, "{ in } of a schedule"); // which checks it
  }
  if (!both && "at" in given) return epochMilliseconds(given.at as Instant); // as above
  const why = both ? "both { in } and { at } say when, so say one" : "say when";
  throw new ConfigurationError(`Cannot schedule "${contract}": ${why}, as in { in: "1h" } or { at: new Date(…) }`);
}
