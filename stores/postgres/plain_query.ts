/** Statements without what makes postgres.js' own live long. @module */
import type { Sql } from "postgres";
import { explainUnsent } from "./errors.ts";
import { hand, type Handed, isOfAnother, taken } from "./out_of_step.ts";

/** What a connection of postgres.js is to run. */
export interface PlainStatement {
  /** Whether `strings` are a template's, with `args` between them. Else they are one text, with `args` for `$1`, … */
  readonly tagged: boolean;
  readonly strings: readonly string[];
  readonly args: readonly unknown[];
  readonly options: { readonly prepare?: boolean; readonly simple?: boolean };
  /** `"values"`: rows are lists. */
  readonly isRaw: "values" | false;
}
/** A client's ways to its connection. */
interface Client {
  readonly sql: object;
  readonly handler: (query: PlainQuery) => unknown;
  readonly canceller: (query: PlainQuery) => unknown;
}

/** Who is told when a query has been answered, once. */
export interface Asker {
  over?(query: object): void;
  /** What is made of the answer. Left out: nothing. */
  answer?(found: unknown): unknown;
}

/** What a query of postgres.js has when it is made. Another version may have, and mean, something else. */
const known =
  "tagged,strings,args,handler,canceller,options,state,statement,resolve,reject,active,cancelled,executed," +
  "signature";
/** What was found of each client; `null`: its queries are others. */
const clients = new WeakMap<object, Client | null>();

/**
 * A query as a connection of postgres.js reads and writes it. Its own assigns function literals to properties
 * (`this.resolve = (x) => …`), which V8 makes in the old generation: such a query, its values and its rows then stay until
 * the next large collection, although nobody refers to them any more.
 */
export class PlainQuery implements PlainStatement, Handed {
  readonly tagged: boolean;
  readonly strings: readonly string[];
  readonly args: readonly unknown[];
  readonly options: PlainStatement["options"];
  readonly isRaw: "values" | false;
  /** What an error's stack is continued with. */
  readonly origin = "";
  statement: unknown = null;
  active = false;
  cancelled: unknown = null;
  signature: unknown = "";
  string: unknown = undefined;
  parameters: unknown = undefined;
  prepare: unknown = undefined;
  prepared: unknown = undefined;
  describeFirst: unknown = undefined;
  readonly #client: Client;
  #state: unknown = null;
  #asker: Asker | undefined;
  readonly #settle: PromiseWithResolvers<unknown> = Promise.withResolvers();

  constructor(client: Client, { tagged, strings, args, options, isRaw }: PlainStatement, asker: Asker | undefined) {
    this.tagged = tagged;
    this.strings = strings;
    this.args = args;
    this.options = options;
    this.isRaw = isRaw;
    this.#client = client;
    this.#asker = asker;
  }

  /** Where it was sent: names the server's process. `null`: it was not. */
  get state(): unknown {
    return this.#state;
  }
  set state(state: unknown) {
    this.#state = state;
    taken(this);
  }

  get result(): Promise<unknown> {
    return this.#settle.promise;
  }
  resolve(result: unknown): void {
    const asker = this.#asker;
    this.#over();
    this.#settle.resolve(asker?.answer === undefined ? result : asker.answer(result));
  }
  reject(reason: unknown): void {
    if (isOfAnother(this.#client.sql, this, reason)) return;
    this.#over();
    this.#settle.reject(this.#state === null ? explainUnsent(reason) : reason);
  }
  #over(): void {
    this.active = false;
    this.#asker?.over?.(this);
    this.#asker = undefined;
  }
  cancel(): void {
    this.#client.canceller(this);
  }
}

/**
 * Sends a statement behind those that were sent before, whoever made them.
 *
 * @returns `undefined`: the client's own queries are not those that are known here, and nothing was sent
 */
export function sendPlain(
  sql: Pick<Sql, "unsafe">,
  statement: PlainStatement,
  asker?: Asker,
): PlainQuery | undefined {
  let client = clients.get(sql);
  if (client === undefined) clients.set(sql, client = clientOf(sql));
  if (client === null) return undefined;
  const { handler } = client;
  const query = new PlainQuery(client, statement, asker);
  queueMicrotask(() => hand(query, handler)); // as postgres.js does
  return query;
}

function clientOf(sql: Pick<Sql, "unsafe">): Client | null {
  const query: object = sql.unsafe(""); // it is sent when somebody waits for it, which nobody does
  const { handler, canceller } = query as { handler?: unknown; canceller?: unknown };
  const is = Object.keys(query).join() === known && typeof handler === "function" && typeof canceller === "function";
  return is ? { sql, handler, canceller } as Client : null;
}
