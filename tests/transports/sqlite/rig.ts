/** What tests of the SQLite transport work with: files of their own, and as many ends of them as they like. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Outgoing, Source, Topology, Transport } from "../../../src/spi/transport.ts";
import { Files } from "../../../stores/sqlite/files.ts";
import { SqliteStore } from "../../../stores/sqlite/store.ts";
import { sqliteTransport, type SqliteTransportOptions } from "../../../transports/sqlite/mod.ts";
import { type TestClock, virtualTime } from "../../conformance/test_clock.ts";
import { Inbox, type Violations } from "../../conformance/transport/inbox.ts";
import { frame, type Sending, topology } from "../../conformance/transport/trial.ts";

const { signal: never } = new AbortController();

/** Options under which virtual time passes at no cost: nothing is looked at every so often. */
export const quiet: SqliteTransportOptions = { lease: "15s", pollInterval: "10000d" };

/** One file, and the transports on it. */
export class Rig {
  readonly path: string;
  readonly clock: TestClock;
  readonly violations: Violations = [];
  readonly #closing: (() => Promise<void>)[] = [];
  #ids = 0;

  constructor(path: string, clock: TestClock) {
    this.path = path;
    this.clock = clock;
  }

  /** Opens a transport; it is closed when the test is over. */
  async open(transport: Transport): Promise<Transport> {
    await transport.open({ bus: "orders", clock: this.clock, signal: never, status: () => {} });
    this.#closing.push(() => transport.close(this.clock.now()));
    return transport;
  }

  /** A transport on the file, together with those that were made so before. */
  connect(options: SqliteTransportOptions = quiet): Promise<Transport> {
    return this.open(sqliteTransport(this.path, { synchronous: "normal", ...options }));
  }

  /** A transport with connections and a mutex of its own: what another process would have. */
  async elsewhere(options: SqliteTransportOptions = quiet): Promise<Transport> {
    return await this.open(sqliteTransport(await this.store(), options));
  }

  /** A store on the file, with connections of its own. */
  async store(): Promise<SqliteStore> {
    const settings = { path: this.path, synchronous: "normal", prefix: "hero_", lockTimeoutMs: 30_000 } as const;
    const store = new SqliteStore(settings, new Files());
    await store.open({ bus: "orders", clock: this.clock, signal: never, status: () => {} });
    this.#closing.push(() => store.close());
    return store;
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

  async close(): Promise<void> {
    for (const close of this.#closing.splice(0).reverse()) await close();
  }
}

/** Runs a test on a file with the queues and topics that it names, and takes it away. */
export async function withRig(
  options: { readonly clock?: TestClock; readonly deploy?: Topology | readonly string[] },
  run: (rig: Rig) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "hero-sqlite-"));
  const rig = new Rig(join(folder, "queues.db"), options.clock ?? virtualTime());
  const { deploy } = options;
  try {
    if (deploy !== undefined) {
      const operator = await rig.connect();
      await operator.deploy("queues" in deploy ? deploy : topology(deploy), "apply");
    }
    await run(rig);
    if (rig.violations.length > 0) throw new Error(rig.violations.join("\n"));
  } finally {
    await rig.close();
    await rm(folder, { recursive: true, force: true });
  }
}
