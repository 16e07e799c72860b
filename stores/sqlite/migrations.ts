/** How the tables come to be. @module */
import type { Change } from "../../src/spi/transport.ts";
import type { Connection } from "./connection.ts";

/** A step from one version of the tables to the next. Never changed once it was published. */
export interface Migration {
  /** In order of the text. */
  readonly id: string;
  /** Statements, each ended by a semicolon. */
  script(prefix: string): string;
}

/** The steps of one prefix. */
export class Migrations {
  readonly #steps: readonly Migration[];
  readonly #prefix: string;
  readonly #table: string;

  constructor(prefix: string, steps: readonly Migration[]) {
    this.#steps = steps;
    this.#prefix = prefix;
    this.#table = `"${prefix}migrations"`;
  }

  /** As `Store.migrations`: each says of itself that it was applied. */
  scripts(): readonly { readonly id: string; readonly script: string }[] {
    return this.#steps.map((step) => ({
      id: step.id,
      script: `${this.#create};\n${step.script(this.#prefix)}INSERT INTO ${this.#table} (id) VALUES ('${step.id}');\n`,
    }));
  }

  /** What is missing, and what is there that this version does not know. */
  plan(connection: Connection): readonly Change[] {
    const applied = this.#applied(connection);
    const known = new Set(this.#steps.map(({ id }) => id));
    return [
      ...this.#steps.filter(({ id }) => !applied.has(id)).map(({ id }): Change => ({
        kind: "create",
        entity: `migration:${id}`,
        detail: `the tables ${this.#prefix}… have to be brought to this version`,
      })),
      ...[...applied].filter((id) => !known.has(id)).sort().map((id): Change => ({
        kind: "extra",
        entity: `migration:${id}`,
        detail: `it was applied by a newer version`,
      })),
    ];
  }

  /** Applies what is missing, in an open transaction; gives what it did and found. */
  apply(connection: Connection): readonly Change[] {
    const changes = this.plan(connection);
    const missing = new Set(changes.filter(({ kind }) => kind === "create").map(({ entity }) => entity));
    for (const { id, script } of this.scripts()) if (missing.has(`migration:${id}`)) connection.exec(script);
    return changes;
  }

  get #create(): string {
    return `CREATE TABLE IF NOT EXISTS ${this.#table} (id TEXT NOT NULL PRIMARY KEY, ` +
      `applied_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP)`;
  }

  #applied(connection: Connection): ReadonlySet<string> {
    const there = connection.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?")
      .get(`${this.#prefix}migrations`);
    if (there == null) return new Set();
    const rows = connection.prepare(`SELECT id FROM ${this.#table}`).all() as readonly { readonly id: string }[];
    return new Set(rows.map(({ id }) => id));
  }
}
