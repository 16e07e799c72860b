/** What can be scheduled, and when. @module */
import type { Contract } from "../contracts/contract.ts";
import { type Definition, definitionOf } from "../contracts/definition.ts";
import { ConfigurationError } from "../errors/configuration.ts";
import { milliseconds } from "../values/duration.ts";
import { epochMilliseconds } from "../values/instant.ts";
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
  const given: unknown = when;
  if (typeof given !== "object" || given === null || !("in" in given || "at" in given)) {
    throw new ConfigurationError(`Cannot schedule "${contract}": say when, as in { in: "1h" } or { at: new Date(…) }`);
  }
  return "in" in when ? now + milliseconds(when.in) : epochMilliseconds(when.at);
}
