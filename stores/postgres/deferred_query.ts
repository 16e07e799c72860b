/** Queries of a transaction that may not be open yet. @module */
import type { PendingQuery, Row } from "postgres";
import { keptInStep } from "./out_of_step.ts";
import type { PlainQuery } from "./plain_query.ts";
import type { UseTransaction } from "./sql_client.ts";

/** A query as postgres.js makes it. */
type Query = PendingQuery<Row[]>;
/** Makes it, where the transaction is open. */
export type MakeQuery<Tx> = (tx: Tx) => Query;
/** Makes and sends it in a plainer way, where that can be done. */
export type SendQuery<Tx> = (tx: Tx) => PlainQuery | undefined;
/** What is made of the answer to one that was not sent so. */
export type WatchQuery<Tx> = (query: PromiseLike<unknown>, tx: Tx) => PromiseLike<unknown>;

/**
 * A query that is made when it is to run. As postgres.js' own, it runs when somebody waits for it, and once; what is
 * asked of it before is asked of the real one.
 */
export class DeferredQuery<Tx> implements PromiseLike<unknown> {
  readonly #use: UseTransaction<Tx>;
  readonly #make: MakeQuery<Tx>;
  readonly #watch: WatchQuery<Tx>;
  readonly #send: SendQuery<Tx> | undefined;
  readonly #before: (() => Promise<unknown>) | undefined;
  readonly #asked: ((query: Query) => unknown)[] = [];
  #running: Promise<unknown> | undefined;
  #query: { readonly cancel: () => unknown } | undefined;

  /**
   * @param send for when it is waited for, and nothing else was asked of it
   * @param before what has to be done first
   */
  constructor(
    use: UseTransaction<Tx>,
    make: MakeQuery<Tx>,
    watch: WatchQuery<Tx>,
    send?: SendQuery<Tx>,
    before?: () => Promise<unknown>,
  ) {
    this.#use = use;
    this.#make = make;
    this.#watch = watch;
    this.#send = send;
    this.#before = before;
  }

  /** Part of another query: of that one's transaction. */
  fragment(tx: Tx): Query {
    return this.#make(tx);
  }

  then<Done = unknown, Failed = never>(
    done?: ((result: unknown) => Done | PromiseLike<Done>) | null,
    failed?: ((reason: unknown) => Failed | PromiseLike<Failed>) | null,
  ): Promise<Done | Failed> {
    return this.#run().then(done, failed);
  }
  catch<Failed>(failed?: ((reason: unknown) => Failed | PromiseLike<Failed>) | null): Promise<unknown> {
    return this.#run().catch(failed);
  }
  finally(then?: (() => void) | null): Promise<unknown> {
    return this.#run().finally(then);
  }
  get [Symbol.toStringTag](): string {
    return "Query";
  }

  execute(): this {
    this.#run().catch(() => {}); // whoever waits for it gets it
    return this;
  }
  simple(): this {
    return this.#ask((query) => query.simple());
  }
  raw(): this {
    return this.#ask((query) => query.raw());
  }
  values(): this {
    return this.#ask((query) => query.values());
  }
  describe(): this {
    return this.#ask((query) => query.describe());
  }
  cancel(): void {
    if (this.#query !== undefined) this.#query.cancel();
    else this.#ask((query) => query.cancel());
  }
  forEach(each: (row: Row, result: never) => void): Promise<unknown> {
    return this.#instead((query) => query.forEach(each as () => void)); // as the caller has typed it
  }
  readable(): Promise<unknown> {
    return this.#instead((query) => query.readable());
  }
  writable(): Promise<unknown> {
    return this.#instead((query) => query.writable());
  }
  cursor(...args: readonly unknown[]): unknown {
    const each = args.find((arg) => typeof arg === "function");
    const [first] = args;
    const rows = typeof first === "number" ? first : 1;
    if (each !== undefined) return this.#instead((query) => query.cursor(rows, each as () => void)); // as above
    return { [Symbol.asyncIterator]: () => this.#pages(rows) };
  }

  /** Each page is a part of the transaction: what is called meanwhile runs after it. */
  async *#pages(rows: number): AsyncGenerator<readonly Row[]> {
    const { iterator } = await this.#use(
      (tx) => ({ iterator: this.#build(tx).cursor(rows)[Symbol.asyncIterator]() }),
      this.#before?.(),
    );
    try {
      for (;;) {
        const next = await this.#use(() => iterator.next());
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      await iterator.return?.();
    }
  }

  #ask(what: (query: Query) => unknown): this {
    this.#asked.push(what);
    return this;
  }
  #instead(run: (query: Query) => unknown): Promise<unknown> {
    return this.#running ??= this.#use((tx) => {
      const query = this.#build(tx);
      const result = run(query);
      query.execute();
      return result;
    }, this.#before?.());
  }
  // At once, as a plain one, and not when it comes to be waited for: those that are called later do not pass it.
  #run(): Promise<unknown> {
    return this.#running ??= this.#use(
      (tx) => this.#plain(tx) ?? this.#watch(this.#build(tx).execute(), tx),
      this.#before?.(),
    );
  }
  #plain(tx: Tx): Promise<unknown> | undefined {
    if (this.#asked.length > 0) return undefined;
    const query = this.#send?.(tx);
    this.#query = query;
    return query?.result;
  }
  #build(tx: Tx): Query {
    const query = keptInStep(tx, this.#make(tx));
    for (const what of this.#asked) what(query);
    return this.#query = query;
  }
}

/** What describes a value, made where it is known for which connection: each has types of its own. */
export class DeferredValue<Tx> {
  readonly make: (tx: Tx) => unknown;

  constructor(make: (tx: Tx) => unknown) {
    this.make = make;
  }
}

/** What stands in a query: parts that were not made yet are made, also within lists and plain objects. */
export function madeOf<Tx>(value: unknown, tx: Tx): unknown {
  if (value instanceof DeferredQuery) return value.fragment(tx);
  if (value instanceof DeferredValue) return value.make(tx);
  if (Array.isArray(value)) {
    const made = value.map((each) => madeOf(each, tx));
    return made.some((each, at) => each !== value[at]) ? made : value;
  }
  if (!isPlain(value)) return value;
  const made = Object.entries(value).map(([name, each]) => [name, madeOf(each, tx)] as const);
  return made.some(([name, each]) => each !== value[name]) ? Object.fromEntries(made) : value;
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
