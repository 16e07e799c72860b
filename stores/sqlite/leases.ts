/** Leases by name. @module */
import { toText } from "../../src/envelope/stored_text.ts";
import type { Connection } from "./connection.ts";

/** The leases' statement. */
export class Leases {
  readonly #take: string;

  /** @param prefix of the tables */
  constructor(prefix: string) {
    const table = `"${prefix}leases"`;
    this.#take = `INSERT INTO ${table} (name, owner, fence, until) VALUES (?1, ?2, 1, ?3) ` +
      `ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until, ` +
      `fence = fence + (owner <> excluded.owner) WHERE owner = excluded.owner OR until <= ?4 RETURNING fence`;
  }

  /** As `Store.lease`. */
  take(
    connection: Connection,
    name: string,
    owner: string,
    ms: number,
    now: number,
  ): { readonly fence: number } | undefined {
    const found = connection.prepare(this.#take).get(toText(name), toText(owner), now + ms, now) as
      | { readonly fence: number }
      | null
      | undefined;
    return found == null ? undefined : { fence: found.fence };
  }
}
