/** What SQLite's errors mean. @module */
import { HeroError } from "../../src/errors/hero_error.ts";
import { notPermitted } from "../../src/errors/not_permitted.ts";
import {
  StoreCorruptError,
  StoreFullError,
  StoreReadOnlyError,
  StoreUnavailableError,
} from "../../src/errors/store.ts";
import { TopologyError } from "../../src/errors/transport.ts";

/** As errors say it. */
export const storeName = "sqlite";

/** SQLite's primary result codes, https://www.sqlite.org/rescode.html */
const code = {
  busy: 5,
  locked: 6,
  readOnly: 8,
  io: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  notADatabase: 26,
} as const;

/** What SQLite says where a runtime does not give the code: Deno, from `exec` and at open. */
const messages: readonly (readonly [begins: string, code: number])[] = [
  ["database is locked", code.busy],
  ["database table is locked", code.locked],
  ["attempt to write a readonly database", code.readOnly],
  ["disk I/O error", code.io],
  ["database disk image is malformed", code.corrupt],
  ["database or disk is full", code.full],
  ["unable to open database", code.cannotOpen],
  ["file is not a database", code.notADatabase],
];

/** The primary result code; 0 where it is not SQLite's error. */
function codeOf(error: unknown): number {
  if (!(error instanceof Error) || !("code" in error) || error.code !== "ERR_SQLITE_ERROR") return 0;
  if ("errcode" in error && typeof error.errcode === "number") return error.errcode & 0xff;
  return messages.find(([begins]) => error.message.startsWith(begins))?.[1] ?? 0;
}

/** Whether another connection has the lock: to be tried again. */
export function isBusy(error: unknown): boolean {
  const found = codeOf(error);
  return found === code.busy || found === code.locked;
}

/** Whether a file could not be opened, or made. */
export function cannotOpen(error: unknown): boolean {
  return codeOf(error) === code.cannotOpen;
}

/** Whether what was written may or may not be there. */
export function isOutcomeUnknown(error: unknown): boolean {
  return codeOf(error) === code.io;
}

/** The folder that a file is in. */
export function folderOf(path: string): string {
  return path.replace(/[\\/]?[^\\/]*$/, "") || (/^[\\/]/.test(path) ? path.slice(0, 1) : ".");
}

/** An error of SQLite as one of the library, where its meaning is known; any other as it is. */
export function explain(error: unknown, path: string): unknown {
  if (error instanceof HeroError || !(error instanceof Error)) return error;
  const refused = notPermitted(error, `the SQLite file "${path}"`, "--allow-read and --allow-write");
  if (refused !== undefined) return refused;
  switch (codeOf(error)) {
    case code.full:
      return new StoreFullError(storeName, path, { cause: error });
    case code.readOnly:
      return new StoreReadOnlyError(storeName, path, { cause: error });
    case code.corrupt:
    case code.notADatabase:
      return new StoreCorruptError(storeName, path, { cause: error });
    case code.cannotOpen: {
      const why = `${error.message}. SQLite makes the file, but not its folder "${folderOf(path)}": ` +
        `that must be there, and this process must have the right to write in it. What is at the path must be no folder`;
      return new StoreUnavailableError(storeName, path, why, { cause: error });
    }
    case code.io:
      return new StoreUnavailableError(storeName, path, error.message, { cause: error });
    default:
      return error;
  }
}

/** As above, for the library's own statements: a table that is missing is a topology that was not deployed. */
export function explainOwn(error: unknown, path: string): unknown {
  if (error instanceof Error && !(error instanceof HeroError) && /no such (table|column|index)/.test(error.message)) {
    return new TopologyError([`the tables in "${path}" are missing or of an older version: ${error.message}`], {
      cause: error,
    });
  }
  return explain(error, path);
}
