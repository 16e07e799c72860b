/** Which messages were handled. @module */
import { DuplicateError } from "../../src/errors/store.ts";
import { toText } from "../../src/envelope/stored_text.ts";
import type { InboxKey } from "../../src/spi/rows.ts";
import type { Connection } from "./connection.ts";

/** The inbox' statements. */
export class Inbox {
  readonly #find: string;
  readonly #insert: string;
  readonly #sweep: string;

  /** @param prefix of the tables */
  constructor(prefix: string) {
    const table = `"${prefix}inbox"`;
    this.#find = `SELECT 1 FROM ${table} WHERE bus = ? AND endpoint = ? AND message_id = ?`;
    this.#insert = `INSERT INTO ${table} (bus, endpoint, message_id, keep_until) VALUES (?, ?, ?, ?)`;
    this.#sweep = `DELETE FROM ${table} WHERE (bus, endpoint, message_id) IN ` +
      `(SELECT bus, endpoint, message_id FROM ${table} WHERE keep_until < ? ORDER BY keep_until LIMIT ?)`;
  }

  /** Whether a message was handled. */
  handled(connection: Connection, bus: string, { endpoint, messageId }: InboxKey): boolean {
    return connection.prepare(this.#find).get(toText(bus), toText(endpoint), toText(messageId)) != null;
  }

  /** @throws {DuplicateError} if one of them was handled */
  check(connection: Connection, bus: string, keys: readonly InboxKey[]): void {
    for (const key of keys) {
      if (this.handled(connection, bus, key)) throw new DuplicateError(key.endpoint, key.messageId);
    }
  }

  /** Remembers that they were handled. */
  record(connection: Connection, bus: string, keys: readonly InboxKey[]): void {
    const insert = keys.length === 0 ? undefined : connection.prepare(this.#insert);
    for (const { endpoint, messageId, keepUntil } of keys) {
      insert?.run(toText(bus), toText(endpoint), toText(messageId), keepUntil);
    }
  }

  /** Forgets what is old, at most `limit`; gives the number. */
  sweep(connection: Connection, limit: number, now: number): number {
    return Number(connection.prepare(this.#sweep).run(now, limit).changes);
  }
}
