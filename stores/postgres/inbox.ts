/** Which messages were handled. @module */
import type { InboxKey, MessageKey } from "../../src/spi/rows.ts";
import { ConstantTexts } from "./constants.ts";
import { stateOf, uniqueViolation } from "./errors.ts";
import type { Names } from "./names.ts";
import { listIn, separated } from "./separated.ts";
import { column, listFrom, nowMs, refusal, refused, rowsOfLists, type Statement } from "./statement.ts";

const keyColumns = "bus text, endpoint text, message_id text";
const columns = `${keyColumns}, keep_until float8`;
const same = "i.bus = r.bus AND i.endpoint = r.endpoint AND i.message_id = r.message_id";

/** A message, of a bus. */
export interface BusMessage extends MessageKey {
  readonly bus: string;
}
/** A key, of a bus. */
export interface BusKey extends InboxKey {
  readonly bus: string;
}

/** The inbox' statements. */
export class Inbox {
  readonly #table: string;
  /** Of its keys, as PostgreSQL calls it. */
  readonly #constraint: RegExp;
  readonly #find: string;
  readonly #records: ConstantTexts;
  readonly #recordsOfOne: ConstantTexts;

  constructor(names: Names) {
    this.#table = names.table("inbox");
    this.#constraint = new RegExp(`(?<!\\w)${names.prefix}inbox_pkey(?!\\w)`);
    this.#records = new ConstantTexts((bus, endpoint) =>
      `INSERT INTO ${this.#table} (bus, endpoint, message_id, keep_until) ` +
      `VALUES (${bus}, ${endpoint}, $1::text, $2::text::bigint)`
    );
    this.#recordsOfOne = new ConstantTexts((bus, endpoint) =>
      `INSERT INTO ${this.#table} (bus, endpoint, message_id, keep_until) ` +
      `SELECT ${bus}, ${endpoint}, message_id, $2::text::bigint FROM ${listIn("$1")} AS message_id`
    );
    // One look into the index for each, also by a plan that was made while the table was so small as to be read whole.
    this.#find = `SELECT r.n FROM ${rowsOfLists(1, keyColumns)} ` +
      `CROSS JOIN LATERAL (SELECT FROM ${this.#table} i WHERE ${same} LIMIT 1) AS found`;
  }

  /** Gives the numbers, from 1, of those that were handled. */
  find(keys: readonly BusMessage[]): Statement {
    return { text: this.#find, values: this.#keys(keys) };
  }

  /** Remembers that they were handled; refuses where one was: {@linkcode refused} tells. */
  record(keys: readonly BusKey[]): Statement {
    const [key, ...others] = keys;
    if (key !== undefined && others.length === 0) return this.#recordOne(key);
    return this.#recordAlike(keys) ?? {
      text: `WITH handled AS MATERIALIZED (SELECT * FROM ${rowsOfLists(1, columns)}), ${this.#recording}, ` +
        `refused AS (SELECT ${refusal("duplicate")} AS problem FROM handled r ` +
        `WHERE NOT EXISTS (SELECT FROM recorded i WHERE ${same})) SELECT problem FROM refused`,
      values: this.several(keys),
    };
  }

  #recordOne(key: BusKey): Statement {
    const text = this.#records.of(key.bus, key.endpoint);
    const values = this.one(key);
    return text === undefined ? { text: this.recordingOne(1), values } : { text, values: values.slice(2) };
  }

  /** What one endpoint has handled: as most likely nothing of it was before, the unique index tells. */
  #recordAlike(keys: readonly BusKey[]): Statement | undefined {
    const [first] = keys;
    if (first === undefined || keys.some(({ bus, endpoint }) => bus !== first.bus || endpoint !== first.endpoint)) {
      return undefined;
    }
    const text = this.#recordsOfOne.of(first.bus, first.endpoint);
    // In one order, so that no two such statements wait for each other.
    const messages = separated(keys.map(({ messageId }) => column(messageId)).sort());
    if (text === undefined || messages === undefined) return undefined;
    const keepUntil = Math.max(...keys.map((key) => key.keepUntil));
    return { text, values: [messages, String(Math.ceil(keepUntil))] };
  }

  /** The statement that remembers one; its parameters are those of {@linkcode one}, from `first` on. */
  recordingOne(first: number): string {
    return `INSERT INTO ${this.#table} (bus, endpoint, message_id, keep_until) ` +
      `VALUES ($${first}::text, $${first + 1}::text, $${first + 2}::text, $${first + 3}::text::bigint)`;
  }

  /** Parts of a statement: `recorded`, of `handled`, those that were not handled before. */
  get #recording(): string {
    // In one order, so that no two wait for each other; one that is being handled elsewhere is waited for.
    return `recorded AS (INSERT INTO ${this.#table} (bus, endpoint, message_id, keep_until) ` +
      `SELECT bus, endpoint, message_id, keep_until::bigint FROM handled ORDER BY bus, endpoint, message_id ` +
      `ON CONFLICT DO NOTHING RETURNING bus, endpoint, message_id)`;
  }

  /**
   * Parts of a statement that remember those that were not handled before, `fresh` by their numbers; the parameters are
   * those of {@linkcode several}, from `first` on.
   */
  recordingFresh(first: number): string {
    return `handled AS MATERIALIZED (SELECT * FROM ${rowsOfLists(first, columns)}), ${this.#recording}, ` +
      `fresh AS MATERIALIZED (SELECT r.n FROM handled r JOIN recorded i ON ${same})`;
  }

  /** Which of some keys an error says to be handled; `undefined`: it says something else, or not which. */
  refused(error: unknown, keys: readonly MessageKey[]): number | undefined {
    if (!this.isRefusal(error)) return keys.length === 1 ? undefined : refused(error, "duplicate");
    if (keys.length === 1) return 0;
    // In whatever language, it has the columns' texts as they are. One may end as another does.
    const detail = String(Reflect.get(Object(error), "detail"));
    const ends = keys.map(({ endpoint, messageId }) => `, ${column(endpoint)}, ${column(messageId)})`);
    const said = ends.filter((end) => detail.includes(end)).sort((one, other) => other.length - one.length);
    const at = ends.indexOf(said[0] ?? "");
    return at < 0 ? undefined : at;
  }

  /** Whether an error says that something was handled. */
  isRefusal(error: unknown): boolean {
    // In whatever language, the message has the name, and around it what that language quotes with.
    return stateOf(error) === uniqueViolation && this.#constraint.test((error as Error).message);
  }

  /** Forgets some that this transaction has recorded. */
  forget(keys: readonly BusKey[]): Statement {
    return {
      text: `DELETE FROM ${this.#table} WHERE ctid = ANY (ARRAY(SELECT ` +
        `(SELECT i.ctid FROM ${this.#table} i WHERE ${same}) FROM ${rowsOfLists(1, keyColumns)}))`,
      values: this.#keys(keys),
    };
  }

  /** Forgets what is old, at most so many. */
  sweep(limit: number): Statement {
    const old = `SELECT ctid FROM ${this.#table} WHERE keep_until < ${nowMs} ` +
      `ORDER BY keep_until LIMIT $1::text::bigint FOR UPDATE SKIP LOCKED`;
    return { text: `DELETE FROM ${this.#table} WHERE ctid = ANY (ARRAY(${old})) RETURNING 1`, values: [String(limit)] };
  }

  /** One as a statement takes it. */
  one({ bus, endpoint, messageId, keepUntil }: BusKey): Statement["values"] {
    return [column(bus), column(endpoint), column(messageId), String(Math.ceil(keepUntil))];
  }

  /** Several as a statement takes them. */
  several(keys: readonly BusKey[]): Statement["values"] {
    return [...this.#keys(keys), listFrom(keys, ({ keepUntil }) => Math.ceil(keepUntil))];
  }
  #keys(keys: readonly BusMessage[]): Statement["values"] {
    return [
      listFrom(keys, ({ bus }) => column(bus)),
      listFrom(keys, ({ endpoint }) => column(endpoint)),
      listFrom(keys, ({ messageId }) => column(messageId)),
    ];
  }
}
