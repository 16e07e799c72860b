/** Work of several flights in one transaction. @module */
import { begin, type Database } from "../../stores/postgres/database.ts";
import { explainOwn } from "../../stores/postgres/errors.ts";
import type { SqlSession } from "../../stores/postgres/sql_client.ts";

/** The database, as the parts of a transport use it. */
export type QueueDatabase = Pick<
  Database<unknown>,
  "query" | "write" | "connect" | "watch" | "clock" | "end" | "where"
>;

/** The database for single statements, each a transaction of its own. */
export function sessionOf(database: Pick<QueueDatabase, "query">): SqlSession {
  return { query: (text, values = []) => database.query({ text, values }) };
}

/** Does some work in one transaction, and commits unless it throws. */
export async function transact<Result>(
  database: QueueDatabase,
  work: (session: SqlSession) => Promise<Result>,
): Promise<Result> {
  const connection = await database.connect(database.end, true);
  try {
    await connection.query(begin);
    const result = await work(connection);
    await connection.query("COMMIT");
    connection.release();
    return result;
  } catch (error) {
    connection.release(true); // which undoes what it began
    throw explainOwn(error, database.where);
  }
}
