/** A connection beside the store's, as any other program has one. */
import { DatabaseSync } from "node:sqlite";

/** Does something with a connection of its own. */
export async function openNative<Result>(
  path: string,
  work: (database: DatabaseSync) => Result | Promise<Result>,
): Promise<Result> {
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    return await work(database);
  } finally {
    database.close();
  }
}
