/** The table of messages. @module */
import type { Address } from "../../src/spi/transport.ts";
import { toText } from "../../src/envelope/stored_text.ts";
import type { Connection } from "../../stores/sqlite/connection.ts";
import { KeyOrder, type KeyRow } from "./key_order.ts";
import { messageStatements } from "./message_statements.ts";
import { before, type Contents, type Held, nowhere, type Row, state, tellsExpiry } from "./message.ts";
import type { News } from "./news.ts";
import type { Entities, Queue } from "./topology.ts";

/** More than this becomes due, or is dropped as expired, in no single transaction. */
const batch = 500;
/** How long what is mandatory and has lost its queue waits for another, in milliseconds. */
const retryMs = 60_000;

function listOf(rows: readonly Pick<Held, "place">[]): string {
  return JSON.stringify(rows.map(({ place }) => place));
}

/** The statements of the table of messages. All but looks need the writer's connection. */
export class Messages {
  readonly #entities: Entities;
  readonly #sql: ReturnType<typeof messageStatements>;
  readonly #order: KeyOrder;

  /** @param prefix of the tables */
  constructor(prefix: string, entities: Entities) {
    this.#entities = entities;
    this.#sql = messageStatements(prefix);
    this.#order = new KeyOrder(this.#sql);
  }

  /**
   * Puts a message into a queue, now or later.
   *
   * @param lease until when whoever sends has it at once, unless it has to wait
   */
  insert(
    connection: Connection,
    queue: Queue,
    via: Address,
    contents: Contents,
    now: number,
    news: News,
    dueAt: number = now,
    lease?: number,
  ): { readonly place: number; readonly state: number } {
    const at = Math.ceil(dueAt);
    const later = at > now;
    const { key } = contents;
    const keeps = queue.ordered && key !== null && !later;
    const behind = keeps && this.#order.isTaken(connection, queue.id, key);
    const leased = lease !== undefined && !later && !behind;
    if (!leased) news.add(queue.id, later ? at : now);
    const row = {
      queue: queue.id,
      state: later ? state.later : behind ? state.behind : leased ? state.leased : state.waiting,
      at: leased ? lease : at,
      keeps: keeps ? 1 : 0,
      via,
    };
    return { place: this.#insert(connection, contents, row), state: row.state };
  }

  /** Whether something waits that could be claimed. */
  anyWaiting(connection: Connection, queue: number): boolean {
    return connection.prepare(this.#sql.any).get(queue) != null;
  }

  /** Keeps what a topic is to get later. Gives its place. */
  insertLater(connection: Connection, topic: Address, contents: Contents, dueAt: number, news: News): number {
    const at = Math.ceil(dueAt);
    news.add(nowhere, at);
    return this.#insert(connection, contents, { queue: nowhere, state: state.later, at, keeps: 0, via: topic });
  }

  /** Takes back what is due later; false: it is gone. */
  cancel(connection: Connection, place: number): boolean {
    return Number(connection.prepare(this.#sql.cancel).run(place).changes) > 0;
  }

  /** When a queue has, or may have, something to claim; not after `now`: it has. `Infinity`: there is nothing. */
  next(connection: Connection, queue: number, now: number): number {
    if (this.anyWaiting(connection, queue)) return now;
    const at = (of: number): number =>
      (connection.prepare(this.#sql.nextAt).get(of) as { readonly at: number | null }).at ?? Infinity;
    return Math.min(at(queue), at(nowhere));
  }

  /** Leases what comes first in a queue; in order. */
  claim(
    connection: Connection,
    queue: Queue,
    limit: number,
    until: number,
    now: number,
    news: News,
  ): readonly Row[] {
    this.promote(connection, nowhere, now, news);
    this.promote(connection, queue.id, now, news);
    const claimed: Row[] = [];
    while (claimed.length < limit) {
      const wanted = limit - claimed.length;
      const found = connection.prepare(this.#sql.free).all(queue.id, wanted) as Row[];
      // One statement for all, as each costs more than what it does for a row.
      if (found.length > 0) connection.prepare(this.#sql.leaseAll).run(until, listOf(found));
      for (const row of found) {
        // What says to its endpoint when it expires is dropped, and counted, there.
        if (row.expires_at === null || row.expires_at > now || tellsExpiry(row)) claimed.push(row);
        else this.remove(connection, row, news, now);
      }
      if (found.length < wanted) break;
    }
    return claimed;
  }

  /** Leases what was there before `last`, in the order of places after `after`, whatever its key. */
  take(
    connection: Connection,
    queue: Queue,
    after: Pick<Row, "rank" | "place">,
    last: number,
    limit: number,
    until: number,
    now: number,
    news: News,
  ): readonly Row[] {
    this.promote(connection, queue.id, now, news);
    const found = this.browse(connection, queue.id, after, limit, now, last);
    return found.map((row) => {
      connection.prepare(this.#sql.lease).run(until, row.place);
      return { ...row, deliveries: row.deliveries + 1 };
    });
  }

  /** What waits, page by page. */
  browse(
    connection: Connection,
    queue: number,
    after: Pick<Row, "rank" | "place">,
    limit: number,
    now: number,
    last: number = Number.MAX_SAFE_INTEGER,
  ): readonly Row[] {
    const page = [state.waiting, state.behind].flatMap((each) => {
      const ofRank = connection.prepare(this.#sql.pageOfRank)
        .all(queue, each, after.rank, after.place, last, now, limit) as Row[];
      if (ofRank.length === limit) return ofRank;
      const behind = connection.prepare(this.#sql.pageBehind)
        .all(queue, each, after.rank, last, now, limit - ofRank.length) as Row[];
      return [...ofRank, ...behind];
    });
    return page.sort(before).slice(0, limit);
  }

  /** The last place that is taken. */
  last(connection: Connection): number {
    return (connection.prepare(this.#sql.last).get() as { readonly place: number | null }).place ?? 0;
  }

  /** Makes free what is due and what was leased for too long, at most a batch. False: there may be more. */
  promote(connection: Connection, queue: number, now: number, news: News): boolean {
    const found = connection.prepare(this.#sql.due).all(queue, Math.floor(now), batch) as Row[];
    for (const row of found) {
      if (row.state === state.leased) this.#order.freed(connection, row, news, now);
      else this.#enter(connection, row, now, news);
    }
    return found.length < batch;
  }

  /** Ends a lease: the message has gone. False: the lease had ended. */
  accept(connection: Connection, { place, deliveries }: Held, news: News, now: number): boolean {
    const row = connection.prepare(this.#sql.accept).get(place, deliveries) as KeyRow | null | undefined;
    if (row == null) return false;
    this.#order.left(connection, row, news, now);
    return true;
  }

  /** The same for many of a queue that keeps no order; those whose leases have ended are left as they are. */
  acceptAll(connection: Connection, held: readonly Held[]): void {
    for (const [deliveries, same] of Map.groupBy(held, ({ deliveries }) => deliveries)) {
      connection.prepare(this.#sql.acceptAll).run(listOf(same), deliveries);
    }
  }

  /** Ends a lease: anybody may have the message. `counted`: it had been delivered. False: the lease had ended. */
  release(connection: Connection, { place, deliveries }: Held, counted: boolean, news: News, now: number): boolean {
    const row = connection.prepare(this.#sql.leased).get(place, deliveries) as Row | null | undefined;
    if (row == null) return false;
    this.#order.freed(connection, row, news, now);
    if (!counted) connection.prepare(this.#sql.uncount).run(place);
    return true;
  }

  /** The row under a lease; `undefined`: the lease has ended. */
  held(connection: Connection, { place, deliveries }: Held): Row | undefined {
    return (connection.prepare(this.#sql.leased).get(place, deliveries) ?? undefined) as Row | undefined;
  }

  /** Ends a lease: the message comes again, later, as if it were another. */
  again(connection: Connection, row: Row, headers: string, dueAt: number, news: News, now: number): void {
    const at = Math.ceil(dueAt);
    connection.prepare(this.#sql.again).run(at, headers, row.place);
    news.add(row.queue, at);
    this.#order.left(connection, row, news, now);
  }

  /** Lengthens leases; gives those that had ended. */
  renew(connection: Connection, held: readonly Held[], until: number): readonly Held[] {
    return held.filter(({ place, deliveries }) =>
      Number(connection.prepare(this.#sql.renew).run(until, place, deliveries).changes) === 0
    );
  }

  /** Takes a message away, whatever it is. */
  remove(connection: Connection, row: Row, news: News, now: number): void {
    connection.prepare(this.#sql.remove).run(row.place);
    this.#order.left(connection, row, news, now);
  }

  /** Takes away up to so many that wait, up to a place; gives how many. */
  purge(connection: Connection, queue: Queue, last: number, now: number, news: News): number {
    const gone = [state.waiting, state.behind].flatMap((each) =>
      connection.prepare(this.#sql.purge).all(queue.id, each, last, batch) as KeyRow[]
    );
    for (const row of gone) this.#order.left(connection, row, news, now);
    return gone.length;
  }

  /** Takes away all of a queue that is gone, but what somebody still has. At most a batch; false: there may be more. */
  clear(connection: Connection, queue: number, now: number): boolean {
    const waiting = connection.prepare(this.#sql.clearWaiting).run(queue, batch);
    const others = connection.prepare(this.#sql.clearAt).run(queue, Math.floor(now), batch);
    return Number(waiting.changes) < batch && Number(others.changes) < batch;
  }

  /** Queues that are none any more, and of which something is left that nobody has. At most so many. */
  orphans(connection: Connection, now: number, limit: number): readonly number[] {
    const found = connection.prepare(this.#sql.orphans).all(Math.floor(now), limit);
    return (found as readonly { readonly queue: number }[]).map(({ queue }) => queue);
  }

  /** Whether something waits that has expired. */
  anyExpired(connection: Connection, now: number): boolean {
    return connection.prepare(this.#sql.expired).get(Math.floor(now), 1) != null;
  }

  /** Drops what has expired, at most a batch. */
  expire(connection: Connection, now: number, news: News): number {
    const found = connection.prepare(this.#sql.expired).all(Math.floor(now), batch) as Row[];
    for (const row of found) this.remove(connection, row, news, now);
    return found.length;
  }

  /** From now on the order of a queue's keys counts: all but the first of each are behind. */
  order(connection: Connection, queue: Queue): void {
    this.#order.begin(connection, queue.id);
    this.#entities.makeOrdered(connection, queue);
  }

  /** How many there are of each kind. */
  count(connection: Connection, queue: Queue, now: number): { waiting: number; active: number; delayed: number } {
    const count = (sql: string, ...values: readonly number[]): number =>
      (connection.prepare(sql).get(queue.id, ...values) as { readonly count: number }).count;
    const free = count(this.#sql.countWaiting) - count(this.#sql.countExpired, now) + count(this.#sql.countDue, now);
    return {
      waiting: free,
      active: count(this.#sql.countAt, now, state.leased),
      delayed: count(this.#sql.countAt, now, state.later),
    };
  }

  /** What was due later takes its place, as if it were sent now. */
  #enter(connection: Connection, row: Row, now: number, news: News): void {
    const routes = row.queue === nowhere
      ? this.#entities.route(connection, row.via as Address)
      : this.#entities.byId(connection, row.queue).map((queue) => ({ queue, via: row.via as Address }));
    if (row.queue === nowhere && routes.length === 0 && row.mandatory === 1) {
      connection.prepare(this.#sql.wait).run(Math.ceil(now) + retryMs, row.place);
      news.add(row.queue, now + retryMs);
      return;
    }
    connection.prepare(this.#sql.remove).run(row.place);
    if (row.expires_at !== null && row.expires_at <= now) return;
    for (const { queue, via } of routes) this.insert(connection, queue, via, row, now, news);
  }

  #insert(
    connection: Connection,
    contents: Contents,
    row: { queue: number; state: number; at: number; keeps: number; via: Address },
  ): number {
    const { key, rank, message_id, content_type, headers, body, expires_at, sent_at, mandatory } = contents;
    const { lastInsertRowid } = connection.prepare(this.#sql.insert).run(
      row.queue,
      row.state,
      rank,
      row.at,
      row.state === state.leased ? 1 : 0,
      row.keeps,
      mandatory,
      expires_at,
      sent_at,
      key,
      message_id,
      toText(row.via),
      content_type,
      headers,
      body,
    );
    return Number(lastInsertRowid);
  }
}
