/**
 * Queues in a file: `sqliteTransport("queues.db")`. Needs no server and no package: `node:sqlite` comes with Deno, Bun
 * and Node ≥ 22.18.
 *
 * @module
 */
export { sqliteTransport, type SqliteTransportOptions } from "./sqlite_transport.ts";
