/**
 * Arrays for postgres.js. It asks for their types by itself (`fetch_types`), but when the connection is lost before the
 * answer, nobody catches that, and the process ends. So it does not ask; this does.
 *
 * @module
 */
import type { Sql } from "postgres";

/** The type of an element, and that of its arrays. */
export interface ArrayType {
  readonly element: number;
  readonly array: number;
  readonly delimiter: string;
}

/** What gives them, as a row each. */
export const arrayTypesQuery =
  "SELECT oid::int, typarray::int, typdelim::text FROM pg_catalog.pg_type WHERE typarray <> 0";

/** The rows of that query. */
export function arrayTypesOf(rows: readonly (readonly unknown[])[]): readonly ArrayType[] {
  return rows.map(([element, array, delimiter]) => ({
    element: Number(element),
    array: Number(array),
    delimiter: String(delimiter),
  }));
}

type Parse = (text: string) => unknown;
type Serialize = (value: unknown) => unknown;
/** The part of a client's options that says how values are read and written; `array`: from behind the sign on. */
interface Codecs {
  readonly parsers: Record<number, (Parse & { array?: boolean }) | undefined>;
  readonly serializers: Record<number, Serialize | undefined>;
  readonly shared: { readonly typeArrayMap: Record<number, number> };
}

/** Has a client read and write arrays. */
export function registerArrays(sql: Sql, types: readonly ArrayType[]): void {
  const { parsers, serializers, shared } = sql.options as unknown as Codecs; // what the client reads at each statement
  for (const { element, array, delimiter } of types) {
    shared.typeArrayMap[element] ??= array;
    parsers[array] ??= (text) => parseArray(text, parsers[element] ?? ((each) => each), delimiter);
    serializers[array] ??= (value) => serializeArray(value, serializers[element], delimiter);
  }
}

/** An array as PostgreSQL writes it: `{1,NULL,"a \"b\"",{2}}`, with bounds before it (`[0:1]={1,2}`) or without. */
export function parseArray(text: string, parse: Parse, delimiter: string): unknown {
  let at = text.indexOf("{");
  const list = (): readonly unknown[] => {
    const items: unknown[] = [];
    at++;
    while (text[at] !== "}") {
      items.push(text[at] === "{" ? list() : item());
      if (text[at] === delimiter) at++;
    }
    at++;
    return items;
  };
  const item = (): unknown => {
    if (text[at] === '"') {
      let value = "";
      for (at++; text[at] !== '"'; at++) {
        if (text[at] === "\\") at++;
        value += text[at];
      }
      at++;
      return parse(value);
    }
    const from = at;
    while (text[at] !== delimiter && text[at] !== "}") at++;
    const value = text.slice(from, at);
    return value === "NULL" ? null : parse(value);
  };
  return list();
}

/** An array as PostgreSQL reads it. What is none is left as it is. */
export function serializeArray(value: unknown, serialize: Serialize | undefined, delimiter: string): unknown {
  if (!Array.isArray(value)) return value;
  const items = value.map((item: unknown) => {
    if (Array.isArray(item)) return serializeArray(item, serialize, delimiter);
    if (item === null || item === undefined) return "NULL";
    const text = String(serialize === undefined ? item : serialize(item));
    return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
  });
  return `{${items.join(delimiter)}}`;
}
