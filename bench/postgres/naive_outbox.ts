/** The outbox of what a user would write by hand: a row in each transaction, gone once it is sent. @module */
import type { Sql, TransactionSql } from "postgres";
import { newId } from "../support/rows.ts";
import { schema } from "../support/stores.ts";

const encoder = new TextEncoder();
// As long as those of the message that the measured consumer sends.
const headers = "h".repeat(287);

/** Writes rows with the transactions, and deletes those that are committed, and so sent, beside them. */
export class NaiveOutbox {
  readonly #sql: Sql;
  #sent: string[] = [];
  #deletes = false;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Writes a message of one that came; gives the place of its row. */
  async write(tx: TransactionSql, messageId: string, to: string, message: unknown, now: number): Promise<string> {
    const [written] = await tx<{ readonly place: string }[]>`INSERT INTO ${tx(`${schema}.hero_outbox`)}
      (bus, id, unit, destination, content_type, headers, body, written_due_at, due_at, free_at, fence)
      VALUES ('bench', ${newId()}, ${messageId}, ${to}, 'application/json', ${headers},
        ${encoder.encode(JSON.stringify(message))}, 0, ${now}, ${now + 30_000}, 1) RETURNING place`;
    if (written === undefined) throw new Error(`The message of ${messageId} was not written`);
    return written.place;
  }

  /** It is committed, and so sent. */
  sent(place: string): void {
    this.#sent.push(place);
    void this.#delete();
  }

  /** As the library does it: each statement takes what was sent during the one before. */
  async #delete(): Promise<void> {
    if (this.#deletes) return;
    this.#deletes = true;
    while (this.#sent.length > 0) {
      const places = this.#sent;
      this.#sent = [];
      const { count } = await this.#sql`DELETE FROM ${this.#sql(`${schema}.hero_outbox`)}
        WHERE place = ANY (${this.#sql.array(places, 20)}) AND fence = 1`;
      if (count !== places.length) throw new Error(`${places.length} rows were sent, ${count} of them are deleted`);
    }
    this.#deletes = false;
  }
}
