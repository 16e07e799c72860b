/** How the tables come to be. @module */
import type { Change } from "../../src/spi/transport.ts";
import type { Names } from "./names.ts";
import type { SqlSession } from "./sql_client.ts";
import type { Statement } from "./statement.ts";

/** A step from one version of the tables to the next. Never changed once it was published. */
export interface Migration {
  /** In order of the text. */
  readonly id: string;
  /** Statements, each ended by a semicolon. */
  script(names: Names): string;
}

const elsewhere = "elsewhere";

/** Whether it is what a transaction in another place fails with. */
export function isElsewhere(error: unknown): boolean {
  return error instanceof Error && error.message.includes(`hero ${elsewhere} `);
}

/** The steps of one schema and prefix. */
export class Migrations {
  readonly #steps: readonly Migration[];
  readonly #names: Names;
  readonly #table: string;

  constructor(names: Names, steps: readonly Migration[]) {
    this.#names = names;
    this.#steps = steps;
    this.#table = names.table("migrations");
  }

  /** As `Store.migrations`: each says of itself that it was applied. */
  scripts(): readonly { readonly id: string; readonly script: string }[] {
    return this.#steps.map((step, at) => ({
      id: step.id,
      script: `${at === 0 ? `${this.#createSchema};\n` : ""}${this.#script(step)}`,
    }));
  }

  /** What is missing, and what is there that this version does not know. */
  async plan(session: SqlSession): Promise<readonly Change[]> {
    const applied = await this.#applied(session);
    const known = new Set(this.#steps.map(({ id }) => id));
    return [
      ...this.#steps.filter(({ id }) => !applied.has(id)).map(({ id }): Change => ({
        kind: "create",
        entity: `migration:${id}`,
        detail: `the tables ${this.#names.schema}.${this.#names.prefix}… have to be brought to this version`,
      })),
      ...[...applied].filter((id) => !known.has(id)).sort().map((id): Change => ({
        kind: "extra",
        entity: `migration:${id}`,
        detail: `it was applied by a newer version`,
      })),
    ];
  }

  /** Applies what is missing, in an open transaction; gives what it did and found. One process after the other. */
  async apply(session: SqlSession): Promise<readonly Change[]> {
    await session.query(`SELECT pg_advisory_xact_lock(hashtextextended($1::text, 0))`, [
      `hero migrations ${this.#names.channel}`,
    ]);
    const changes = await this.plan(session);
    const missing = new Set(changes.filter(({ kind }) => kind === "create").map(({ entity }) => entity));
    if (missing.size === 0) return changes;
    // Who may not make schemas may still use one that is there.
    const found = await session.query(`SELECT 1 FROM pg_namespace WHERE nspname = $1::text`, [this.#names.schema]);
    if (found.length === 0) await session.query(this.#createSchema);
    // Asked for a table that is there, PostgreSQL notes that, and drivers print its notes.
    if (!await this.#isThere(session)) await session.query(this.#createTable);
    for (const step of this.#steps) if (missing.has(`migration:${step.id}`)) await session.query(this.#body(step));
    return changes;
  }

  /** What tells these tables from such of another database; to be asked where they are there. */
  async place(session: SqlSession): Promise<string> {
    const [found] = await session.query(`SELECT ${this.#place}`);
    return String(found?.[0]);
  }

  /** Fails, and so does its transaction, where that is in another place. */
  stay(place: string): Statement {
    const said = `('hero ${elsewhere} ' || current_database())::integer`; // by failing
    return { text: `SELECT ${said} WHERE ${this.#place} <> $1::text`, values: [place] };
  }

  get #place(): string {
    const made = `(SELECT (extract(epoch FROM min(applied_at)) * 1000000)::bigint FROM ${this.#table})`;
    return `concat(current_database(), ' ', ${made})`;
  }

  get #createSchema(): string {
    return `CREATE SCHEMA IF NOT EXISTS "${this.#names.schema}"`;
  }

  get #createTable(): string {
    return `CREATE TABLE IF NOT EXISTS ${this.#table} (id text NOT NULL PRIMARY KEY, ` +
      `applied_at timestamptz NOT NULL DEFAULT now())`;
  }

  #script(step: Migration): string {
    return `${this.#createTable};\n${this.#body(step)}`;
  }
  #body(step: Migration): string {
    return `${step.script(this.#names)}INSERT INTO ${this.#table} (id) VALUES ('${step.id}');\n`;
  }

  async #isThere(session: SqlSession): Promise<boolean> {
    // Not to_regclass(): a connection may remember that it was not there.
    const found = await session.query(
      `SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace ` +
        `WHERE n.nspname = $1::text AND c.relname = $2::text`,
      [this.#names.schema, `${this.#names.prefix}migrations`],
    );
    return found.length > 0;
  }

  async #applied(session: SqlSession): Promise<ReadonlySet<string>> {
    if (!await this.#isThere(session)) return new Set();
    return new Set((await session.query(`SELECT id FROM ${this.#table}`)).map(([id]) => String(id)));
  }
}
