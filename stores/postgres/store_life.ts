/** How a store opens and closes. @module */
import { ConfigurationError } from "../../src/errors/configuration.ts";
import { ClosedError } from "../../src/errors/transport.ts";
import type { Clock } from "../../src/spi/clock.ts";
import type { Host } from "../../src/spi/transport.ts";
import { connected } from "./connecting.ts";
import { Database } from "./database.ts";
import type { Session } from "./due.ts";
import { closedName } from "./errors.ts";
import { Foresight } from "./foresight.ts";
import { JoinedCommits } from "./joined_commits.ts";
import { Listener } from "./listener.ts";
import { Lookups } from "./lookups.ts";
import type { Names } from "./names.ts";
import { SharedCommits } from "./shared_commits.ts";
import type { SqlClient } from "./sql_client.ts";
import type { Statement } from "./statement.ts";
import type { Tables } from "./tables.ts";
import { readNotice, saying, Wakes } from "./wakes.ts";

/** What a store is made with, checked. */
export interface Settings<Tx> {
  /** Loads the driver, which goes by this clock; connects to nothing. */
  readonly load: (clock: Clock) => Promise<SqlClient<Tx>>;
  /** The database, as errors say it: without a password. */
  readonly where: string;
  /** The same of two stores that are in one database, as far as that can be told. */
  readonly identity: unknown;
  readonly names: Names;
  /** The most units that write at once. */
  readonly max: number;
  readonly listen: boolean;
  readonly pollMs: number;
}

/** What is there while it is open. */
export interface Open<Tx> extends Session {
  readonly database: Database<Tx>;
  readonly lookups: Lookups;
  readonly foresight: Foresight;
  readonly shared: SharedCommits;
  /** The same, of units that something has joined. */
  readonly joined: JoinedCommits;
}

/** Opened by the first of its buses, closed by the last; tells all of them whether the database is there. */
export class StoreLife<Tx> {
  readonly wakes: Wakes = new Wakes();
  readonly #settings: Settings<Tx>;
  readonly #tables: Pick<Tables, "inbox" | "sagas" | "free" | "fresh" | "joined">;
  readonly #end = new AbortController();
  /** Of the buses that have it open. */
  readonly #hosts: Host[] = [];
  #opening: Promise<Open<Tx>> | undefined;
  #open: Open<Tx> | undefined;
  #listener: Listener | undefined;
  #down = false;
  /** The reason of the end's signal: to ask a signal takes as long as much else of a unit. */
  #over: ClosedError | undefined;
  #closed: Promise<void> | undefined;

  constructor(settings: Settings<Tx>, tables: Pick<Tables, "inbox" | "sagas" | "free" | "fresh" | "joined">) {
    this.#settings = settings;
    this.#tables = tables;
  }

  /** Now, by the clock of the first bus; 0 before it is open. */
  get now(): number {
    return this.#open?.database.clock.now() ?? 0;
  }

  /**
   * What is there.
   *
   * @param doing what it is for, as an error says it
   * @throws {ConfigurationError} before it is open; with the end's reason once it is closed
   */
  check(doing: string): Open<Tx> {
    if (this.#over !== undefined) throw this.#over;
    if (this.#open !== undefined) return this.#open;
    throw new ConfigurationError(`Cannot ${doing}: the PostgreSQL store is not open. Start its bus first`);
  }

  /** The same; `undefined`: it is not open. */
  get ifOpen(): Open<Tx> | undefined {
    return this.#over === undefined ? this.#open : undefined;
  }

  /** As `Store.open`. */
  async open(host: Host): Promise<void> {
    this.#end.signal.throwIfAborted();
    host.signal.throwIfAborted();
    this.#hosts.push(host);
    try {
      await (this.#opening ??= this.#connect(host.clock, host.signal));
    } catch (error) {
      this.#hosts.splice(this.#hosts.indexOf(host), 1);
      this.#opening = undefined; // another bus may have more luck
      throw error;
    }
    this.#end.signal.throwIfAborted();
    host.status({ state: "up" });
  }

  /**
   * As `Store.close`.
   *
   * @param endUnits ends what is not committed; resolves when all of it is undone
   */
  async close(endUnits: (cause: ClosedError) => Promise<unknown>): Promise<void> {
    if (this.#hosts.length > 1) {
      this.#hosts.pop();
      return;
    }
    if (this.#end.signal.aborted) return await this.#closed;
    this.#hosts.length = 0;
    const closed = new ClosedError(closedName);
    const undone = endUnits(closed);
    this.#over = closed;
    this.#end.abort(closed);
    this.#closed = this.#close(undone);
    await this.#closed;
  }

  async #close(undone: Promise<unknown>): Promise<void> {
    const open = await this.#opening?.catch(() => undefined);
    await undone;
    await this.#listener?.ended();
    await open?.database.client.close();
  }

  async #connect(clock: Clock, signal: AbortSignal): Promise<Open<Tx>> {
    const { load, where, names: { channel }, pollMs, listen } = this.#settings;
    const { wakes } = this;
    const { inbox, sagas } = this.#tables;
    const end = this.#end.signal;
    const client = await load(clock);
    const database = new Database(client, where, clock, end, (error) => this.#report(error));
    try {
      await connected(database, AbortSignal.any([signal, end]));
    } catch (error) {
      await client.close();
      throw error;
    }
    const say = (text: string) => listen ? database.query(saying(channel, text)) : Promise.resolve();
    const lookups = new Lookups(({ keys, instances }) => {
      const find = inbox.find(keys);
      return database.query(instances.length === 0 ? find : sagas.beside(find, instances));
    });
    const foresight = new Foresight(async (messages) => {
      const found = await database.query(inbox.find(messages));
      return new Set(found.map(([n]) => Number(n)));
    }, () => clock.now());
    if (listen && client.listen !== undefined) {
      this.#listener = new Listener({
        listen: (channel, heard) => client.listen!(channel, heard), // seen above
        channel,
        clock,
        say,
        heard: (text) => {
          const [table, bus] = readNotice(text) ?? ["", ""];
          wakes.tell(table, bus, clock.now());
        },
        end,
      });
      this.#listener.start();
    }
    const ask = ({ text, values }: Statement) => database.watch(client.query(text, values), (error) => error);
    const shared = new SharedCommits(ask, where, this.#tables, clock);
    const joined = new JoinedCommits(ask, where, this.#tables.joined, clock);
    return this.#open = { database, wakes, pollMs, say, lookups, foresight, shared, joined };
  }

  #report(error: Error | undefined): void {
    if (this.#down === (error !== undefined)) return;
    this.#down = error !== undefined;
    for (const { status } of this.#hosts) {
      status(error === undefined ? { state: "up" } : { state: "down", cause: error });
    }
  }
}
