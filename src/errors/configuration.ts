/** Errors of configuration: thrown where the mistake is made, or at start. @module */
import { HeroError, type HeroErrorOptions } from "./hero_error.ts";
import { shown } from "./shown.ts";

/** The configuration cannot work. */
export class ConfigurationError extends HeroError {
  /** Stable: branch on it. Subclasses have codes of their own. */
  override readonly code: `HERO_${string}` = "HERO_CONFIGURATION";
  /**
   * For what has no class of its own.
   *
   * @param message what is wrong, and what to do
   */
  constructor(message: string, options?: HeroErrorOptions) {
    super(message, options);
  }
}

/** Two endpoints of a bus, or two handlers of a mediator, have the same command or query, which must have one owner. */
export class DuplicateOwnerError extends ConfigurationError {
  /** Stable: branch on it. */
  override readonly code = "HERO_DUPLICATE_OWNER";
  /**
   * Puts it into words.
   *
   * @param endpoints the two; on a mediator the names of consumers or functions
   */
  constructor(contract: string, endpoints: readonly [string, string]) {
    super(
      `Cannot give "${contract}" two owners, "${endpoints[0]}" and "${endpoints[1]}": a command or query has one. ` +
        `Handle it once, or make it an event`,
      { details: { contract, endpoints } },
    );
  }
}

/** One name and version stand for two different contracts on one bus. */
export class DuplicateContractError extends ConfigurationError {
  /** Stable: branch on it. */
  override readonly code = "HERO_DUPLICATE_CONTRACT";
  /**
   * Puts it into words.
   *
   * @param version which both have
   */
  constructor(contract: string, version: number) {
    super(
      `Two different contracts are called "${contract}", version ${version}. ` +
        `Give one another name or version, or use the same contract value in both places`,
      { details: { contract, version } },
    );
  }
}

/** The bus has no endpoint of that name. */
export class UnknownEndpointError extends ConfigurationError {
  /** Stable: branch on it. */
  override readonly code = "HERO_UNKNOWN_ENDPOINT";
  /**
   * Puts it into words.
   *
   * @param known the names that there are
   */
  constructor(endpoint: string, known: readonly string[]) {
    super(
      `There is no endpoint "${endpoint}" on this bus, which has ${
        known.length === 0
          ? "none. Make it with bus.endpoint() first"
          : `${known.map((each) => `"${each}"`).join(", ")}. Ask for one of those`
      }`,
      { details: { endpoint, known } },
    );
  }
}

/** The transport or store lacks what the configuration asks of it, and the core cannot honestly emulate it. */
export class UnsupportedError extends ConfigurationError {
  /** Stable: branch on it. */
  override readonly code = "HERO_UNSUPPORTED";
  /**
   * Puts it into words.
   *
   * @param what is asked for, and by whom, as a noun: `{ order: "key" } on "orders"`
   * @param instead what to do, as a sentence
   */
  constructor(plugin: string, what: string, instead: string) {
    super(`"${plugin}" does not support ${what}. ${instead}`, { details: { plugin, what } });
  }
}

/** A duration is negative, not finite, or not written as one. */
export class InvalidDurationError extends ConfigurationError {
  /** Stable: branch on it. */
  override readonly code = "HERO_INVALID_DURATION";
  /**
   * Puts it into words.
   *
   * @param value as it was given
   * @param use what it was given as, as in `{ timeout } of the endpoint "orders"`
   */
  constructor(value: unknown, why = "it is not a duration", use?: string) {
    super(
      `Cannot use ${shown(value)} as ${use ?? "a duration"}: ${why}. ` +
        `Give milliseconds ≥ 0, or digits with a unit: "250ms", "5s", "1.5h"`,
      { details: { value } },
    );
  }
}

/** A value is not a point in time. */
export class InvalidInstantError extends ConfigurationError {
  /** Stable: branch on it. */
  override readonly code = "HERO_INVALID_INSTANT";
  /**
   * Puts it into words.
   *
   * @param value as it was given
   */
  constructor(value: unknown, why = "it is not a point in time") {
    super(
      `Cannot use ${shown(value)} as an instant: ${why}. ` +
        `Give a valid Date, a Temporal.Instant or a Temporal.ZonedDateTime`,
      { details: { value } },
    );
  }
}

/** A name cannot be that of a contract, endpoint, bus or header. */
export class InvalidNameError extends ConfigurationError {
  /** Stable: branch on it. */
  override readonly code = "HERO_INVALID_NAME";
  /**
   * Puts it into words.
   *
   * @param what it should name, as in `a contract`
   */
  constructor(what: string, name: unknown, why: string) {
    super(`Cannot name ${what} ${shown(name)}: ${why}`, { details: { what, name } });
  }
}
