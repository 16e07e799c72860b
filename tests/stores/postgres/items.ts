/** A table of a handler's own. @module */
import type { Opened } from "./opened.ts";

/** Makes a table of a handler; gives its name. */
export async function table({ bench: { sql, schema } }: Opened): Promise<string> {
  await sql.unsafe(`CREATE SCHEMA IF NOT EXISTS "${schema}"`);
  await sql.unsafe(
    `CREATE TABLE "${schema}".items (id int PRIMARY KEY, name text, tags text[], at timestamptz, body jsonb)`,
  );
  return `${schema}.items`;
}
/** What stands in it. */
export async function names({ bench: { sql, schema } }: Opened): Promise<readonly string[]> {
  return (await sql`SELECT name FROM ${sql(`${schema}.items`)} ORDER BY id`).map(({ name }) => name);
}
