/** A store that is open and deployed, and the end of it. */
import type { TransactionSql } from "postgres";
import type { Changes, InboxKey, OutboxRow, SagaRow, ScheduleRow } from "../../../src/spi/rows.ts";
import type { JoinableStore, Scope } from "../../../src/spi/store.ts";
import { postgres, type PostgresOptions, type SqlClient } from "../../../stores/postgres/mod.ts";
import { eventually, realTime, type TestClock } from "../../conformance/test_clock.ts";
import { test } from "../../support/runner.ts";
import { pgClient } from "./pg_client.ts";
import { PostgresBench, skip } from "./server.ts";

const encoder = new TextEncoder();
const never = new AbortController().signal;
let names = 0;

/** What a test works with. */
export class Opened {
  readonly bench: PostgresBench;
  readonly clock: TestClock = realTime();
  readonly bus = "app";
  /** What stores said of themselves. */
  readonly states: string[] = [];
  readonly #stores: JoinableStore<unknown>[] = [];

  constructor(bench: PostgresBench) {
    this.bench = bench;
  }

  /** A store of this schema, open, and closed in the end. */
  async store(options: Partial<PostgresOptions> = {}): Promise<JoinableStore<TransactionSql>> {
    return await this.open(this.bench.store(options));
  }

  /** Opens a store, makes its tables, and closes it in the end. */
  async open<Tx>(store: JoinableStore<Tx>): Promise<JoinableStore<Tx>> {
    await store.open({
      bus: this.bus,
      clock: this.clock,
      signal: never,
      status: ({ state }) => this.states.push(state),
    });
    this.#stores.push(store as JoinableStore<unknown>); // to be closed
    await store.deploy("apply");
    return store;
  }

  /** A store whose statements are written down, but for those of units. */
  async watched(): Promise<{ readonly store: JoinableStore<unknown>; readonly texts: string[] }> {
    const texts: string[] = [];
    const inner = pgClient(this.bench.url);
    const client: SqlClient<unknown> = {
      ...inner as SqlClient<unknown>, // the same, watched
      query: (text, values) => {
        texts.push(text);
        return inner.query(text, values);
      },
    };
    const store = await this.open(postgres({ client, schema: this.bench.schema, listen: false }));
    texts.length = 0;
    return { store, texts };
  }

  scope(scope: Partial<Scope> = {}): Scope {
    return { bus: this.bus, partition: "p", inbox: [], signal: never, ...scope };
  }
  key(messageId: string): InboxKey {
    return { endpoint: "endpoint", messageId, keepUntil: this.clock.now() + 3_600_000 };
  }
  row(row: Partial<OutboxRow> = {}): OutboxRow {
    const id = `row-${++names}`;
    const frame = { contentType: "text/plain", headers: {}, body: encoder.encode(id) };
    return { id, group: id, key: undefined, to: "queue:q", frame, dueAt: 0, expiresAt: undefined, ...row };
  }
  schedule(row: Partial<ScheduleRow> = {}): ScheduleRow {
    return { ...this.row(row), token: `token-${++names}`, ...row };
  }
  saga(row: Partial<SagaRow> = {}): SagaRow {
    const id = `saga-${++names}`;
    const [data, rest] = [encoder.encode(`data of ${row.id ?? id}`), { schema: 1, types: undefined, index: {} }];
    return { saga: "order", id, incarnation: "first", version: 1, state: "begun", data, ...rest, ...row };
  }
  changes(some: Partial<Changes> = {}): Changes {
    return { sagas: [], outbox: [], schedules: [], ...some };
  }

  /** Waits, in real time, as a server has its own. */
  async until(what: string, holds: () => boolean | Promise<boolean>, within = 20_000): Promise<void> {
    let held = false;
    let asking = false;
    await eventually(this.clock, what, () => {
      if (!asking && !held) {
        asking = true;
        Promise.resolve(holds()).then((now) => held = now, () => {}).finally(() => asking = false);
      }
      return held;
    }, within);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const store of this.#stores) await store.close();
    await this.bench[Symbol.asyncDispose]();
  }
}

/** Registers a test with a schema of its own. */
export function onPostgres(name: string, run: (opened: Opened) => Promise<void>, timeoutInMs = 60_000): void {
  test(`PostgreSQL: ${name}`, async () => {
    const opened = new Opened(new PostgresBench());
    try {
      await run(opened);
    } finally {
      await opened[Symbol.asyncDispose]();
    }
  }, { skip, timeoutInMs });
}
