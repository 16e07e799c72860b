/** Whether a file can be written. @module */
import { StoreReadOnlyError } from "../../src/errors/store.ts";
import { cannotOpen, folderOf, isBusy, storeName } from "./errors.ts";

/**
 * Has a file keep a log, and sees whether it can be written: SQLite opens what it may only read as if all were well, and
 * says of a log which it cannot make beside it that it was unable to open the file.
 *
 * @throws {StoreReadOnlyError} if the folder cannot be written; SQLite's own error, if the file cannot
 */
export function makeWritable(database: { exec(sql: string): void }, path: string): void {
  try {
    database.exec("PRAGMA journal_mode = WAL");
  } catch (error) {
    if (!cannotOpen(error)) throw error;
    throw new StoreReadOnlyError(storeName, folderOf(path), { cause: error });
  }
  try {
    database.exec("BEGIN IMMEDIATE");
  } catch (error) {
    if (isBusy(error)) return; // another process writes
    throw error;
  }
  try {
    database.exec("PRAGMA user_version = 0"); // BEGIN reads alone where it may not write
  } finally {
    database.exec("ROLLBACK"); // it is as it was
  }
}
