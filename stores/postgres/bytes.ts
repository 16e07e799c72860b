/** Bytes for postgres.js, which reads them in one of the two forms that a database may write them in. @module */
import type { Sql } from "postgres";

type Parse = (text: string) => unknown;
/** The part of a client's options that says how values are read. */
interface Parsers {
  readonly parsers: Record<number, Parse | undefined>;
}

/** `bytea`, as the catalog of types numbers it. */
const bytea = 17;

/** Has a client read bytes also where `bytea_output` is `escape`, which would give others, and no error. */
export function registerBytes(sql: Sql): void {
  const { parsers } = sql.options as unknown as Parsers; // what the client reads at each statement
  const parse = parsers[bytea];
  if (parse !== undefined) parsers[bytea] = (text) => parse(text.startsWith("\\x") ? text : hexOf(text));
}

/** `a\\\001` as `\x615c01`: what is no character of ASCII stands there by its octal number, a backslash twice. */
function hexOf(escaped: string): string {
  const bytes = escaped.match(/\\\\|\\[0-7]{3}|[^\\]/g) ?? [];
  return `\\x${
    bytes.map((each) => {
      const code = each.length === 4 ? parseInt(each.slice(1), 8) : each.charCodeAt(0);
      return code.toString(16).padStart(2, "0");
    }).join("")
  }`;
}
