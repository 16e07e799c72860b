/** How tables are called. @module */
import { InvalidNameError } from "../../src/errors/configuration.ts";

const name = /^[A-Za-z_][A-Za-z0-9_]*$/;
const longest = 30;

/** Schema and prefix, which make names that need no further care: both have letters, digits and `_` alone. */
export class Names {
  /** Of all of its tables. */
  readonly schema: string;
  /** What the tables' names begin with. */
  readonly prefix: string;

  /** @throws {InvalidNameError} */
  constructor(schema: string, prefix: string) {
    for (const [what, text] of [["schema", schema], ["prefix", prefix]] as const) {
      if (typeof text === "string" && text.length <= longest && name.test(text)) continue;
      throw new InvalidNameError(
        "the tables of a store",
        String(text),
        `a ${what} has 1 to ${longest} letters, digits and _, and begins with no digit`,
      );
    }
    this.schema = schema;
    this.prefix = prefix;
  }

  /** A table, as it stands in a statement. */
  table(of: string): string {
    return `"${this.schema}"."${this.prefix}${of}"`;
  }
  /** An index, as it stands where it is made. */
  index(of: string): string {
    return `"${this.prefix}${of}"`;
  }
  /** Where is said that there is something to do: one for each schema and prefix. */
  get channel(): string {
    return `${this.schema}.${this.prefix}`;
  }
}
