/** Leases by name. @module */
import type { Names } from "./names.ts";
import { column, nowMs, type Statement } from "./statement.ts";

/** The leases' statement. */
export class Leases {
  readonly #take: string;

  constructor(names: Names) {
    this.#take = `INSERT INTO ${names.table("leases")} AS l (name, owner, fence, until) ` +
      `VALUES ($1::text, $2::text, 1, ${nowMs} + $3::text::bigint) ` +
      `ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = ${nowMs} + $3::text::bigint, ` +
      `fence = l.fence + CASE WHEN l.owner = excluded.owner THEN 0 ELSE 1 END ` +
      `WHERE l.owner = excluded.owner OR l.until <= ${nowMs} RETURNING fence`;
  }

  /** As `Store.lease`: gives the fence, if it is had. */
  take(name: string, owner: string, ms: number): Statement {
    return { text: this.#take, values: [column(name), column(owner), String(Math.ceil(ms))] };
  }
}
