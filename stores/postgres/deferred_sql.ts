/** postgres.js' transaction, before it is open. @module */
import type { Row, Sql, TransactionSql } from "postgres";
import { ConfigurationError } from "../../src/errors/configuration.ts";
import { askWhether, watchAnswer } from "./answer_watch.ts";
import {
  DeferredQuery,
  DeferredValue,
  madeOf,
  type MakeQuery,
  type SendQuery,
  type WatchQuery,
} from "./deferred_query.ts";
import { FileText } from "./file_text.ts";
import { type Asker, type PlainStatement, sendPlain } from "./plain_query.ts";
import type { UseTransaction } from "./sql_client.ts";
import { checkUnitText } from "./unit_text.ts";

/** What stands for one transaction. */
class Deferral implements Asker {
  readonly use: UseTransaction<TransactionSql>;
  readonly helpers: () => Sql;
  savepoints = 0;
  #tx: TransactionSql | undefined;

  constructor(use: UseTransaction<TransactionSql>, helpers: () => Sql) {
    this.use = use;
    this.helpers = helpers;
  }

  query(
    make: MakeQuery<TransactionSql>,
    send?: SendQuery<TransactionSql>,
    watch: WatchQuery<TransactionSql> = watched,
    before?: () => Promise<unknown>,
  ): DeferredQuery<TransactionSql> {
    return new DeferredQuery(this.use, make, watch, send, before);
  }

  /** Who is told of the answers to what is sent. */
  in(tx: TransactionSql): Asker {
    this.#tx = tx;
    return this;
  }
  answer(found: unknown): unknown {
    return this.#tx === undefined ? found : watchAnswer(found, this.#tx);
  }

  call(first: unknown, rest: readonly unknown[]): unknown {
    if (!isTemplate(first)) return new DeferredValue((tx: TransactionSql) => describe(tx, [first, ...rest]));
    checkUnitText(first[0] ?? "");
    const made = (tx: TransactionSql) => rest.map((each) => madeOf(each, tx));
    return this.query(
      (tx) => tx<Row[]>(first, ...made(tx) as never[]), // what the caller gave
      (tx) => sendPlain(tx, { tagged: true, strings: first, args: made(tx), options: {}, isRaw: false }, this.in(tx)),
    );
  }

  unsafe(text: string, rest: readonly unknown[]): unknown {
    checkUnitText(text);
    const [args = [], ...options] = rest;
    const plain: PlainStatement | undefined = Array.isArray(args) && options.length === 0
      ? { tagged: false, strings: [text], args, options: { prepare: false, simple: args.length === 0 }, isRaw: false }
      : undefined;
    return this.query(
      (tx) => tx.unsafe(text, ...rest as []), // as above
      (tx) => plain && sendPlain(tx, plain, this.in(tx)),
    );
  }

  /** Reads it first: what postgres.js reads it runs whenever that is there, be it behind the end of the unit. */
  file(path: string, rest: readonly unknown[]): unknown {
    const [args = [], options] = rest.length === 1 && !Array.isArray(rest[0]) ? [[], rest[0]] : rest;
    const file = new FileText(path);
    return this.query(
      (tx) => tx.unsafe(file.text, args as never[], { prepare: true, ...Object(options) }), // as the caller gave it
      undefined,
      watchedFile,
      () => file.read(),
    );
  }

  async savepoint(own: object, args: readonly unknown[]): Promise<unknown> {
    const work = args.at(-1) as (sql: object) => unknown; // with a name before it, or without
    const name = `hero_${++this.savepoints}`;
    const run = (text: string) => this.use((tx) => tx.unsafe(text).execute());
    await run(`SAVEPOINT ${name}`);
    try {
      const found = work(own);
      const result = await (Array.isArray(found) ? Promise.all(found) : found);
      await run(`RELEASE SAVEPOINT ${name}`);
      return result;
    } catch (error) {
      await run(`ROLLBACK TO SAVEPOINT ${name}`);
      throw error;
    }
  }
}

const watched: WatchQuery<TransactionSql> = async (query, tx) => watchAnswer(await query, tx);
/** Where a statement of several fails, nothing is said of those before it. */
const watchedFile: WatchQuery<TransactionSql> = async (query, tx) => {
  try {
    return watchAnswer(await query, tx);
  } catch (error) {
    await askWhether(tx);
    throw error;
  }
};

/** Where one that is called has what it stands for. */
const deferral = Symbol("deferral");
interface Tag {
  (first: unknown, ...rest: readonly unknown[]): unknown;
  [deferral]?: Deferral;
}

/** What each has beside being called. Made when it is asked for: one is made for each unit, and most are only called. */
const members: Readonly<Record<string, (of: Deferral, own: object) => unknown>> = {
  unsafe: (of) => (text: string, ...rest: readonly unknown[]) => of.unsafe(text, rest),
  file: (of) => (path: string, ...rest: readonly unknown[]) => of.file(path, rest),
  notify: (of) => (channel: string, payload: string) =>
    of.use((tx) => tx`SELECT pg_notify(${channel}, ${payload})`.execute()),
  array: () => (...args: readonly unknown[]) =>
    new DeferredValue((tx: TransactionSql) => tx.array(...args as [never[]])), // as above
  json: (of) => (value: never) => of.helpers().json(value),
  typed: (of) => of.helpers().typed,
  types: (of) => of.helpers().typed,
  prepare: () => () => {
    throw new ConfigurationError(
      `Cannot prepare the transaction of a unit of work: it commits with its inbox and outbox. Take it away`,
    );
  },
  savepoint: (of, own) => (...args: readonly unknown[]) => of.savepoint(own, args),
};
const prototype: object = Object.create(
  Function.prototype,
  Object.fromEntries(
    Object.entries(members).map(([name, make]) => [name, {
      enumerable: true,
      get(this: Required<Tag>) {
        return make(this[deferral], this);
      },
    }]),
  ),
);

/**
 * Looks like a `TransactionSql`, and is one as soon as it is used.
 *
 * @param helpers of any connection: types are the same for all
 */
export function deferredSql(use: UseTransaction<TransactionSql>, helpers: () => Sql): TransactionSql {
  const of = new Deferral(use, helpers);
  const tag: Tag = (first, ...rest) => of.call(first, rest);
  tag[deferral] = of;
  return Object.setPrototypeOf(tag, prototype);
}

/** What postgres.js makes of names, rows and lists. */
function describe(tx: TransactionSql, args: readonly unknown[]): unknown {
  return (tx as unknown as (...args: readonly unknown[]) => unknown)(...args.map((each) => madeOf(each, tx)));
}

function isTemplate(value: unknown): value is TemplateStringsArray {
  return Array.isArray(value) && "raw" in value;
}
