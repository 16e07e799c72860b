/** Statements whose values stand in a text, so that one message to the server has several of them. @module */
import { digitsOf } from "./hexadecimal.ts";
import type { SqlValue } from "./sql_client.ts";
import type { Statement } from "./statement.ts";

/** Longer ones travel with their values beside them: what stands in a text is read more than once. In characters. */
const mostLength = 16_384;

/** A text, and whether it prepares what it runs. */
export interface InlinedText {
  readonly text: string;
  readonly prepares: boolean;
}

/** What one connection has prepared by name, as SQL can. */
export class Inlined {
  // Nobody else's, also where a pooler hands on connections.
  readonly #own = `hero_${crypto.randomUUID().replaceAll("-", "").slice(0, 12)}`;
  readonly #names = new Map<string, string>();
  #count = 0;

  /** A statement as text; `undefined`: its values cannot stand in one, or had better not. */
  textOf(statement: string, values: readonly SqlValue[]): InlinedText | undefined {
    if (values.length === 0) return { text: statement, prepares: false };
    if (!fit(values)) return undefined;
    const known = this.#names.get(statement);
    const name = known ?? `${this.#own}_${++this.#count}`;
    const run = `EXECUTE ${name}(${values.map(literal).join(",")})`;
    if (known !== undefined) return { text: run, prepares: false };
    this.#names.set(statement, name);
    return { text: `PREPARE ${name} AS ${statement};${run}`, prepares: true };
  }

  /** A text that prepares has failed: nobody knows whether it came so far. The next one takes another name. */
  forget(statement: string): void {
    this.#names.delete(statement);
  }
}

/** Statements as one text, with their values in it: run once, they had better not be prepared. */
export function scriptOf(statements: readonly Statement[]): string {
  const texts = statements.map(({ text, values }) =>
    // Each parameter is cast where it stands, and none stands within a text.
    text.replace(/\$(\d+)/g, (_, number) => literal(values[Number(number) - 1] ?? null))
  );
  return texts.join(";");
}

/** A text ends with its first NUL. */
function fit(values: readonly SqlValue[]): boolean {
  let length = 0;
  for (const value of values) {
    if (value instanceof Uint8Array) length += 2 * value.length;
    else if (typeof value === "string") {
      if (value.includes("\0")) return false;
      length += value.length;
    }
  }
  return length <= mostLength;
}

/**
 * The same whatever `standard_conforming_strings` says; in UTF-8 no other character has a byte of these. Headers are full
 * of what would have to be doubled: between dollars nothing is.
 */
function literal(value: SqlValue): string {
  if (value === null) return "NULL";
  if (value instanceof Uint8Array) return `E'\\\\x${digitsOf(value)}'`;
  const text = String(value);
  if (!text.includes("\\") && !text.includes("'")) return `'${text}'`;
  return text.includes("$") ? `E'${text.replace(/['\\]/g, "$&$&")}'` : `$hero$${text}$hero$`;
}
