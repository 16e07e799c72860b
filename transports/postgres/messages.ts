/** The table of messages. @module */
import type { StatementPart } from "../../stores/postgres/joining.ts";
import type { Names } from "../../stores/postgres/names.ts";
import type { SqlRow } from "../../stores/postgres/sql_client.ts";
import type { Statement } from "../../stores/postgres/statement.ts";
import { before, type Found, foundOf, type Held } from "./message.ts";
import { batch, type MessageStatements, messageStatements } from "./message_statements.ts";
import { News } from "./news.ts";
import { type SendKind, type SendOneKind, sendOneStatement, sendStatement } from "./send_statements.ts";
import { listOf } from "./statements.ts";
import type { QueueDatabase } from "./transacting.ts";
import { type UsualKind, usualPart } from "./usual_statements.ts";

/** What became of leases that were to be renewed: of all others that they are. */
export interface Renewal {
  /** They had ended. */
  readonly gone: ReadonlySet<Held>;
  /** They are not renewed, as their commit is under way. */
  readonly locked: ReadonlySet<Held>;
}

/** What is asked of a database that answers. */
type Asked = Pick<QueueDatabase, "query" | "write" | "end" | "clock">;

/** What a claim gave. */
export interface Claimed {
  /** In order; what has expired is among them. */
  readonly found: readonly Found[];
  /** The places of what was accepted. */
  readonly accepted: ReadonlySet<number>;
  /** In how many milliseconds the next is due, by the database's clock; `Infinity`: none is. */
  readonly dueInMs: number;
}

/** Where in a queue. */
export type Place = Pick<Found, "rank" | "place">;
/** Before all. */
export const start: Place = { rank: -(2 ** 31), place: 0 };

/** The statements of the table of messages. */
export class Messages {
  /** Their texts. */
  readonly sql: MessageStatements;
  readonly #names: Names;
  readonly #sends = new Map<string, string>();
  readonly #usual = new Map<string, StatementPart>();

  /** @param names of the queues' tables */
  constructor(names: Names) {
    this.#names = names;
    this.sql = messageStatements(names);
  }

  /** Writes messages. */
  send(kind: SendKind, values: Statement["values"]): Statement {
    const key = `${kind.keyed} ${kind.offers} ${kind.strict}`;
    let text = this.#sends.get(key);
    if (text === undefined) this.#sends.set(key, text = sendStatement(this.#names, kind));
    return { text, values };
  }

  /** Writes one message that asks for nothing unusual. */
  sendOne(kind: SendOneKind, values: Statement["values"]): Statement {
    const key = `one ${kind.offers} ${kind.strict} ${kind.accepts}`;
    let text = this.#sends.get(key);
    if (text === undefined) this.#sends.set(key, text = sendOneStatement(this.#names, kind));
    return { text, values };
  }

  /** Writes what several units send and accept that asks for nothing unusual. */
  usual(kind: UsualKind): StatementPart {
    const key = `${kind.sends} ${kind.special} ${kind.offers} ${kind.accepts}`;
    let part = this.#usual.get(key);
    if (part === undefined) this.#usual.set(key, part = usualPart(this.#names, kind));
    return part;
  }

  /** Follows, in the transaction, what notes keys. Its last gives the queues that have got something to take. */
  get inOrder(): readonly Statement[] {
    return [{ text: this.sql.lock, values: [] }, { text: this.sql.promote, values: [] }];
  }

  /** Leases what comes first in a queue, and accepts, in the same commit, what has no order. */
  async claim(
    database: Asked,
    queue: number,
    limit: number,
    leaseMs: number,
    accepted: readonly Held[],
  ): Promise<Claimed> {
    const values = [String(queue), String(limit), String(leaseMs), ...heldLists(accepted)];
    const rows = await database.query({ text: this.sql.claim, values });
    const [found, gone]: [Found[], Set<number>] = [[], new Set()];
    let dueInMs = Infinity;
    for (const [kind, ...row] of rows) {
      if (kind === "taken") found.push(foundOf(row));
      else if (kind === "accepted") gone.add(Number(row[0]));
      else if (row[0] != null) dueInMs = Number(row[0]);
    }
    return { found: found.sort(before), accepted: gone, dueInMs };
  }

  /** Accepts what has no order; gives the places of what was. */
  async accept(database: Asked, held: readonly Held[]): Promise<ReadonlySet<number>> {
    const rows = await database.query({ text: this.sql.acceptPlain, values: heldLists(held) });
    return new Set(rows.map(([place]) => Number(place)));
  }

  /** Makes free what is due, of a queue and of topics. Adds the queues that got something. False: there may be more. */
  async enter(database: Asked, queue: number, news: News): Promise<boolean> {
    const enter = { text: this.sql.enter, values: [String(queue)] };
    const [came = [], , promoted = []] = await database.write([enter, ...this.inOrder], database.end);
    this.came([...came.filter(([kind]) => kind === "came").map(([, of]) => [of]), ...promoted], news, database);
    const [, left] = came.find(([kind]) => kind === "noted") ?? [];
    return Number(left) < batch;
  }

  /** Adds queues that have something to take. */
  came(rows: readonly SqlRow[], news: News, { clock }: Pick<Asked, "clock">): void {
    for (const [queue] of rows) news.add(Number(queue), clock.now());
  }

  /** Takes away what is leased and has expired. */
  async drop(database: Asked, held: readonly Held[]): Promise<News> {
    const news = new News();
    const drop = { text: this.sql.accept, values: heldLists(held) };
    const [, , promoted = []] = await database.write([drop, ...this.inOrder], database.end);
    this.came(promoted, news, database);
    return news;
  }

  /** Takes back what is due later; false: it is gone. */
  async cancel(database: Asked, place: number): Promise<boolean> {
    return (await database.query({ text: this.sql.cancel, values: [String(place)] })).length > 0;
  }

  /** Leases what was there before `last`, in order after `after`, whatever its key. */
  async take(
    database: Asked,
    queue: number,
    after: Place,
    last: number,
    limit: number,
    leaseMs: number,
  ): Promise<readonly Found[]> {
    const values = [String(queue), String(after.rank), String(after.place), String(last), String(limit)];
    const rows = await database.query({ text: this.sql.take, values: [...values, String(leaseMs)] });
    return rows.map(foundOf).sort(before);
  }

  /** What waits, page by page. */
  async browse(database: Asked, queue: number, after: Place, limit: number): Promise<readonly Found[]> {
    const last = String(Number.MAX_SAFE_INTEGER);
    const values = [String(queue), String(after.rank), String(after.place), last, String(limit)];
    return (await database.query({ text: this.sql.browse, values })).map(foundOf);
  }

  /** The last place that is taken. */
  async last(database: Asked): Promise<number> {
    const [[place] = []] = await database.query({ text: this.sql.last, values: [] });
    return Number(place);
  }

  /** Lengthens leases. */
  async renew(database: Asked, held: readonly Held[], leaseMs: number): Promise<Renewal> {
    const rows = await database.query({ text: this.sql.renew, values: [...heldLists(held), String(leaseMs)] });
    const found = new Map(rows.map(([place, renewed]) => [Number(place), renewed === true]));
    return {
      gone: new Set(held.filter(({ place }) => !found.has(place))),
      locked: new Set(held.filter(({ place }) => found.get(place) === false)),
    };
  }

  /** Ends leases, unless they have ended. `counted`: they had been delivered. */
  async release(database: Asked, held: readonly Held[], counted: boolean): Promise<void> {
    await database.write([this.released(held, counted), ...this.inOrder], database.end);
  }

  /** The same as a statement. */
  released(held: readonly Held[], counted: boolean): Statement {
    const values = [...heldLists(held), counted ? "0" : "1"];
    return { text: this.sql.released, values };
  }

  /** Takes away what waits, up to a place, in pieces; gives how many. */
  async purge(database: Asked, queue: number, last: number): Promise<number> {
    return await this.#drop(database, { text: this.sql.purge, values: [String(queue), String(last)] }, new News());
  }

  /** Drops what has expired. */
  async expire(database: Asked, news: News): Promise<void> {
    await this.#drop(database, { text: this.sql.expire, values: [] }, news);
  }

  /** Takes away all of a queue that is gone, but what somebody still has. */
  async clear(database: Asked, queue: number): Promise<void> {
    while ((await database.query({ text: this.sql.clear, values: [String(queue)] })).length >= batch);
  }

  /** Queues that are none any more, and of which messages are left. */
  async orphans(database: Asked): Promise<readonly number[]> {
    return (await database.query({ text: this.sql.orphans, values: [] })).map(([queue]) => Number(queue));
  }

  /** How many there are of each kind. */
  async count(database: Asked, queue: number): Promise<{ waiting: number; active: number; delayed: number }> {
    const [counts = []] = await database.query({ text: this.sql.count, values: [String(queue)] });
    const [waiting = 0, active = 0, delayed = 0] = counts.map(Number);
    return { waiting, active, delayed };
  }

  async #drop(database: Asked, drop: Statement, news: News): Promise<number> {
    for (let all = 0;;) {
      const [[[dropped] = []] = [], , promoted = []] = await database.write([drop, ...this.inOrder], database.end);
      this.came(promoted, news, database);
      all += Number(dropped);
      if (Number(dropped) < batch) return all;
    }
  }
}

/** Places and deliveries, as statements take them: in one order, so that no two that overlap wait for each other. */
export function heldLists(some: readonly Held[]): readonly [string, string] {
  const held = some.toSorted((a, b) => a.place - b.place);
  return [listOf(held.map(({ place }) => place)), listOf(held.map(({ deliveries }) => deliveries))];
}
