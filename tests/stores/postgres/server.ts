/** The database that `deno task services` has started, and what tests leave in it. */
import client, { type Sql, type TransactionSql } from "postgres";
import process from "node:process";
import type { JoinableStore } from "../../../src/spi/store.ts";
import { postgres, type PostgresOptions } from "../../../stores/postgres/mod.ts";
import { listens, usualPort } from "../../support/servers/postgres.ts";

/** The database itself, by a superuser. */
export const url: string = process.env["HERO_POSTGRES_URL"] ?? `postgres://postgres@127.0.0.1:${usualPort}/postgres`;

const where = new URL(url);

/** Why tests that need it are skipped; `undefined`: they are not. */
export const skip: string | undefined = await listens(Number(where.port))
  ? undefined
  : `no PostgreSQL on 127.0.0.1:${where.port}; start it with: deno task services`;
if (skip !== undefined && process.env["HERO_SERVICES"] === "required") {
  throw new Error(`PostgreSQL must be there, and is not: nothing listens on 127.0.0.1:${where.port}`);
}

const run = Math.floor(performance.timeOrigin + performance.now()).toString(36);
let schemas = 0;

/** A schema of its own, and a client that knows nothing of this library. */
export class PostgresBench implements AsyncDisposable {
  readonly schema: string;
  readonly url: string;
  readonly sql: Sql;

  constructor(at: string = url) {
    this.schema = `t${run}_${process.pid}_${++schemas}`;
    this.url = at;
    // Of a schema that is to be gone, nothing has to outlive a power cut.
    const connection = { synchronous_commit: false };
    this.sql = client(at, { max: 2, onnotice: () => {}, fetch_types: false, connection });
  }

  /** A store in this schema. */
  store(options: Partial<PostgresOptions> = {}): JoinableStore<TransactionSql> {
    // What is to survive a crash is proved elsewhere: here nobody has to wait for the disk.
    const connection = {
      ...options.connection,
      connection: { synchronous_commit: false, ...options.connection?.connection },
    };
    return postgres({ url: this.url, schema: this.schema, ...options, connection });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sql.unsafe(`DROP SCHEMA IF EXISTS "${this.schema}" CASCADE`);
    await this.sql.end();
  }
}
