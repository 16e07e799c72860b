/** The order of keys: of each, the first message alone can be claimed, and the others are behind it. @module */
import type { Connection } from "../../stores/sqlite/connection.ts";
import { type Row, state } from "./message.ts";
import type { messageStatements } from "./message_statements.ts";
import type { News } from "./news.ts";

/** Where a row stands in the order of its key. */
export type KeyRow = Pick<Row, "place" | "queue" | "key" | "keeps">;

/** Keeps the order of keys in the table of messages. */
export class KeyOrder {
  readonly #sql: ReturnType<typeof messageStatements>;

  constructor(sql: ReturnType<typeof messageStatements>) {
    this.#sql = sql;
  }

  /** Whether a new message of a key would be behind another. */
  isTaken(connection: Connection, queue: number, key: string): boolean {
    return connection.prepare(this.#sql.anyOfKey).get(queue, key) != null;
  }

  /** A lease has ended, and the message is still there. */
  freed(connection: Connection, row: Row, news: News, now: number): void {
    news.add(row.queue, now);
    if (row.keeps === 0) return this.#set(connection, state.waiting, row);
    const [first, second] = this.#firstTwo(connection, row);
    const heldUp = this.#isHeldUp(connection, row, first, second);
    if (first === undefined || first.place < row.place) {
      // It was taken out of turn.
      this.#set(connection, state.behind, row);
      if (first?.state === state.behind && !heldUp) this.#set(connection, state.waiting, first);
      return;
    }
    this.#set(connection, heldUp ? state.behind : state.waiting, row);
  }

  /** One has left its key: the next one may come. */
  left(connection: Connection, row: KeyRow, news: News, now: number): void {
    if (row.keeps === 0 || row.key === null) return;
    const [first, second] = this.#firstTwo(connection, row);
    if (first?.state !== state.behind || this.#isHeldUp(connection, row, first, second)) return;
    this.#set(connection, state.waiting, first);
    news.add(row.queue, now);
  }

  /** From now on it counts in a queue: all but the first of each key are behind. */
  begin(connection: Connection, queue: number): void {
    connection.prepare(this.#sql.keep).run(queue);
    connection.prepare(this.#sql.lineUp).run(queue);
  }

  /**
   * Whether another of a key is in flight: taken out of turn, or before the order counted. All of the key are looked at
   * only where this one, or one of the first, must have been.
   */
  #isHeldUp(connection: Connection, { queue, key, place }: KeyRow, ...firstTwo: readonly (Row | undefined)[]): boolean {
    const taken = ({ place: other, deliveries }: Row): boolean => other !== place && deliveries > 0;
    const [first] = firstTwo;
    const inTurn = first === undefined || first.place >= place;
    if (inTurn && !firstTwo.some((each) => each !== undefined && taken(each))) return false;
    return connection.prepare(this.#sql.otherLeased).get(queue, key, place) != null;
  }
  #firstTwo(connection: Connection, { queue, key }: KeyRow): readonly Row[] {
    return connection.prepare(this.#sql.firstTwo).all(queue, key) as Row[];
  }
  #set(connection: Connection, to: number, { place }: Row): void {
    connection.prepare(this.#sql.setState).run(to, place);
  }
}
