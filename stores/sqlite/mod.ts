/**
 * A store in a file: `sqlite("orders.db")`. Needs no server and no package: `node:sqlite` comes with Deno, Bun and
 * Node ≥ 22.18.
 *
 * @example
 * ```ts
 * import { sqlite } from "@hero/messaging/sqlite";
 *
 * const store = sqlite({ path: "orders.db", synchronous: "full" });
 * ```
 *
 * @module
 */
export { sqlite, type SqliteOptions } from "./sqlite.ts";
export type { SqliteResult, SqliteStatement, SqliteTransaction } from "./transaction.ts";
export type { SqliteValue } from "./value.ts";
