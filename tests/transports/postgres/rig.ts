/** What tests of the PostgreSQL transport work with: a schema of their own, and as many ends of it as they like. */
import type { TransactionSql } from "postgres";
import type { JoinableStore } from "../../../src/spi/store.ts";
import type { Clock } from "../../../src/spi/clock.ts";
import type { Outgoing, Source, Topology, Transport } from "../../../src/spi/transport.ts";
import type { PostgresOptions } from "../../../stores/postgres/mod.ts";
import type { Taking } from "../../../transports/postgres/offers.ts";
import { postgresTransport, type PostgresTransportOptions } from "../../../transports/postgres/mod.ts";
import { eventually, realTime, type TestClock } from "../../conformance/test_clock.ts";
import { Inbox, type Violations } from "../../conformance/transport/inbox.ts";
import { frame, type Sending, topology } from "../../conformance/transport/trial.ts";
import { PostgresBench, skip } from "../../stores/postgres/server.ts";
import { test } from "../../support/runner.ts";

const { signal: never } = new AbortController();

/** Options under which a receiver finds what others write by hearing of it alone. */
export const deaf: PostgresTransportOptions = { pollInterval: "1h" };

/** One schema, and the transports in it. */
export class Rig {
  readonly bench: PostgresBench;
  readonly clock: TestClock = realTime();
  readonly violations: Violations = [];
  /** What transports said of themselves. */
  readonly states: string[] = [];
  readonly #closing: (() => Promise<void>)[] = [];
  #ids = 0;

  constructor(bench: PostgresBench) {
    this.bench = bench;
  }

  /** Opens a transport; it is closed when the test is over. */
  async open(transport: Transport, clock: Clock = this.clock): Promise<Transport> {
    await transport.open({ bus: "orders", clock, signal: never, status: ({ state }) => this.states.push(state) });
    this.#closing.push(() => transport.close(this.clock.now() + 5_000));
    return transport;
  }

  /** A transport with connections of its own. */
  connect(
    options: PostgresTransportOptions = {},
    store: Partial<PostgresOptions> = {},
    clock?: Clock,
  ): Promise<Transport> {
    const { url, schema } = this.bench;
    // What is to survive a crash is proved elsewhere: here nobody has to wait for the disk.
    const connection = { connection: { synchronous_commit: false } };
    return this.open(postgresTransport({ url, schema, max: 4, connection, ...store }, options), clock);
  }

  /** A store with its tables, open. */
  async store(options: Partial<PostgresOptions> = {}): Promise<JoinableStore<TransactionSql>> {
    const store = this.bench.store(options);
    await store.open({ bus: "orders", clock: this.clock, signal: never, status: () => {} });
    this.#closing.push(() => store.close());
    await store.deploy("apply");
    return store;
  }

  /** What any other program selects. `hero` stands for the schema and the tables' prefix. */
  select(sql: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
    return this.bench.sql.unsafe(sql.replaceAll("hero_", `"${this.bench.schema}".hero_`)) as Promise<
      readonly Readonly<Record<string, unknown>>[]
    >; // rows, as they are
  }

  async receive(transport: Transport, queue: string, options: Partial<Source> = {}): Promise<Inbox> {
    const inbox = new Inbox(options.credit ?? 100, this.violations, () => this.clock.now());
    inbox.receiver = await transport.receive({
      queue,
      topics: [],
      lifetime: "durable",
      credit: 100,
      ordered: false,
      holdMs: 600_000,
      extensions: [],
      ...options,
    }, inbox);
    return inbox;
  }

  /** What `send` takes, and the promise of its being settled. */
  outgoing(to: string, sending: Sending = {}): { outgoing: Outgoing; settled: Promise<string | undefined> } {
    const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
    const { text = "", ...rest } = sending;
    promise.catch(() => {}); // whoever sent may look later
    const settled = (error?: Error, receipt?: string): void => error === undefined ? resolve(receipt) : reject(error);
    const fixed = { messageId: `message ${++this.#ids}`, alsoTo: [], mandatory: false };
    return { outgoing: { frame: frame(text), to, ...fixed, ...rest, settled }, settled: promise };
  }

  /** Sends in one batch; gives the receipts. */
  async send(
    transport: Transport,
    to: string,
    ...sendings: readonly Sending[]
  ): Promise<readonly (string | undefined)[]> {
    const made = sendings.map((sending) => this.outgoing(to, sending));
    await transport.send(made.map(({ outgoing }) => outgoing));
    return await Promise.all(made.map(({ settled }) => settled));
  }

  /** Waits, in real time, as a server has its own. */
  async until(what: string, holds: () => boolean | Promise<boolean>, within = 30_000): Promise<void> {
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

  /** Waits until a receiver has found nothing, and so would be handed what is sent. */
  hungry(inbox: Inbox): Promise<void> {
    const taking = inbox.receiver as unknown as Taking; // this transport's receivers are
    return this.until("a receiver that waits", () => taking.hungry > 0);
  }

  /** Waits until so many have come. */
  came(inbox: Inbox, count: number, within?: number): Promise<void> {
    return this.until(`${count} messages`, () => inbox.received.length >= count, within);
  }

  async close(): Promise<void> {
    for (const close of this.#closing.splice(0).reverse()) await close();
    await this.bench[Symbol.asyncDispose]();
  }
}

/** Registers a test on a schema of its own, with the queues and topics that it names. */
export function onQueues(
  name: string,
  deploy: Topology | readonly string[] | undefined,
  run: (rig: Rig) => Promise<void>,
  timeoutInMs = 120_000,
): void {
  test(`PostgreSQL transport: ${name}`, async () => {
    const rig = new Rig(new PostgresBench());
    try {
      if (deploy !== undefined) {
        const operator = await rig.connect();
        await operator.deploy("queues" in deploy ? deploy : topology(deploy), "apply");
      }
      await run(rig);
    } finally {
      await rig.close();
    }
    if (rig.violations.length > 0) throw new Error(rig.violations.join("\n"));
  }, { skip, timeoutInMs });
}
