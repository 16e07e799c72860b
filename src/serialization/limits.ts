/** How much a serializer writes and reads. @module */
import { ConfigurationError } from "../errors/configuration.ts";
import { checkOptionNames, type OptionNames } from "../values/option_names.ts";

/** What keeps a hostile body from doing harm. Both directions obey: what is written can be read. */
export interface SerializerLimits {
  /**
   * How many JSON objects and arrays may stand inside one another (a `Map` is two: the array and its entries); 1 to
   * 1000. Left out: 64, which is also what .NET's own reader allows.
   */
  readonly maxDepth?: number;
  /** The largest body in bytes. Left out: 8 MiB (8388608). */
  readonly maxBytes?: number;
}

const optionNames: OptionNames<SerializerLimits> = { maxDepth: true, maxBytes: true };

/**
 * Fills in the defaults.
 *
 * @throws {ConfigurationError} if a limit is not a whole number within its range
 */
export function limitsOf(options: SerializerLimits): Required<SerializerLimits> {
  checkOptionNames(options, optionNames, "jsonSerializer()");
  const { maxDepth = 64, maxBytes = 8 * 1024 * 1024 } = options;
  if (!Number.isInteger(maxDepth) || maxDepth < 1 || maxDepth > 1000) {
    throw new ConfigurationError(`Cannot use ${maxDepth} as maxDepth: give a whole number from 1 to 1000`);
  }
  if (!Number.isSafeInteger(maxBytes) || maxBytes < 1) {
    throw new ConfigurationError(`Cannot use ${maxBytes} as maxBytes: give a whole number of bytes, at least 1`);
  }
  return { maxDepth, maxBytes };
}

/** Digits of the longest bigint: reading one takes more than linear time. An RSA key of 8192 bits has 2467. */
export const maxBigintDigits = 4096;
