/** What units write beside what they have joined, as one statement. @module */
import type { SagaChange } from "../../src/spi/rows.ts";
import { ifAllChanged } from "./free_rows.ts";
import type { BusKey } from "./inbox.ts";
import type { StatementPart, Together } from "./joining.ts";
import type { Names } from "./names.ts";
import type { Sagas } from "./sagas.ts";
import { allSeparated, listIn } from "./separated.ts";
import { column, type Statement } from "./statement.ts";

/** What a unit writes itself. */
export interface OwnRows {
  readonly bus: string;
  /** Whose inbox records are written. */
  readonly keys: readonly BusKey[];
  /** Of instances, if {@linkcode Sagas.isBrief}; where there are any, there is a key as well. */
  readonly changes: readonly SagaChange[];
}

/** Makes the statements. */
export class JoinedRows {
  readonly #inbox: string;
  readonly #sagas: Sagas;
  readonly #texts = new WeakMap<StatementPart, Map<string, string>>();

  constructor(names: Names, sagas: Sagas) {
    this.#inbox = names.table("inbox");
    this.#sagas = sagas;
  }

  /**
   * Writes all of several units of one bus. Refuses all where a message was handled, where an instance is not as it was
   * loaded, or somebody else has it locked, and where what they have joined is refused. `undefined`: its values cannot
   * travel so.
   */
  write(units: readonly OwnRows[], { part, values }: Pick<Together, "part" | "values">): Statement | undefined {
    // In one order, so that no two such statements wait for each other.
    const keys = units.flatMap((unit) => unit.keys)
      .map(({ endpoint, messageId }) => [column(endpoint), column(messageId)] as const)
      .sort(([a, b], [c, d]) => a < c || a === c && b < d ? -1 : 1);
    const lists = allSeparated([keys.map(([endpoint]) => endpoint), keys.map(([, messageId]) => messageId)]);
    if (lists === undefined) return undefined;
    const keepUntil = Math.max(0, ...units.flatMap((unit) => unit.keys.map((key) => key.keepUntil)));
    const changes = units.flatMap(({ bus, changes }) => changes.map((change) => ({ of: 1, bus, change })));
    const own = keys.length === 0 ? [] : [column(units[0]?.bus ?? ""), ...lists, String(Math.ceil(keepUntil))];
    return {
      text: this.#text(part, values.length + 1, keys.length > 0, changes.length > 0),
      values: [...values, ...own, ...changes.length === 0 ? [] : this.#sagas.several(changes)],
    };
  }

  #text(part: StatementPart, first: number, records: boolean, changes: boolean): string {
    let texts = this.#texts.get(part);
    if (texts === undefined) this.#texts.set(part, texts = new Map());
    const kind = `${records} ${changes}`;
    let text = texts.get(kind);
    if (text !== undefined) return text;
    const queries = [part.queries];
    if (records) {
      queries.push(
        `recorded AS (INSERT INTO ${this.#inbox} (bus, endpoint, message_id, keep_until) ` +
          `SELECT $${first}::text, endpoint, message_id, $${first + 3}::text::bigint FROM ROWS FROM (` +
          `${listIn(`$${first + 1}`)}, ${listIn(`$${first + 2}`)}) AS k(endpoint, message_id) RETURNING 1)`,
      );
    }
    // Instances come behind the inbox, as everywhere, so that no two that have one of each wait for each other.
    if (changes) {
      queries.push(this.#sagas.changingSeveral(first + 4, "passed over", "(SELECT count(*) FROM recorded) > 0"));
    }
    text = `WITH ${queries.join(", ")} ${part.select}`;
    if (changes) text += ` UNION ALL SELECT ${Array(part.columns).fill("NULL").join(", ")} WHERE NOT ${ifAllChanged}`;
    texts.set(kind, text);
    return text;
  }
}
