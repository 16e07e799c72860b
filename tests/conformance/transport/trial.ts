/** One run of one case: its names, its transports, and the end of all of it. */
import { assertEquals } from "@std/assert";
import type { Frame, FrameHeaders } from "../../../src/spi/frame.ts";
import type {
  Capabilities,
  Change,
  DeployMode,
  Host,
  Outgoing,
  Source,
  Topology,
  Transport,
} from "../../../src/spi/transport.ts";
import { eventually, type TestClock } from "../test_clock.ts";
import { Inbox, type Violations } from "./inbox.ts";

/** A broker, as the suite needs it. Disposing takes away all that has been made on it. */
export interface TransportUnderTest extends AsyncDisposable {
  readonly clock: TestClock;
  /** Makes a transport on the same broker, not yet opened. */
  connect(): Transport;
  /**
   * Takes from a transport all that it holds unsettled, as its broker would: the connection breaks, the leases end, the
   * partitions move. It goes on by itself. Left out: the cases that need it do not apply.
   */
  breakClaims?(transport: Transport): void | Promise<void>;
  /**
   * What has expired while it waited is handed out, if its envelope says when it does: its endpoint counts it. Left out:
   * the broker drops it.
   */
  readonly tellsExpired?: boolean;
  /** Settles within the call: then nothing that was settled comes again, whatever breaks. */
  readonly settlesAtOnce?: boolean;
  /** Ends a transport as the death of its process would. Left out: the cases that need it do not apply. */
  kill?(transport: Transport): void | Promise<void>;
}

/** What a case may be asked before it runs: false, and it does not apply. */
export type Applies = (has: Capabilities, under: TransportUnderTest) => boolean;

/** A claim about any transport. */
export interface TransportCase {
  readonly name: string;
  readonly applies?: Applies;
  run(trial: Trial): Promise<void>;
}

const encoder = new TextEncoder();

/** A message of a text. */
export function frame(text: string, headers: FrameHeaders = {}): Frame {
  return { contentType: "text/plain", headers, body: encoder.encode(text) };
}

/** What to send, beside where. */
export type Sending = Partial<Omit<Outgoing, "to" | "settled">> & { readonly text?: string };

/** What a case works with. */
export class Trial {
  readonly transport: Transport;
  readonly under: TransportUnderTest;
  readonly clock: TestClock;
  readonly violations: Violations = [];
  readonly #opened: Transport[] = [];
  readonly #inboxes = new Map<Transport, Inbox[]>();
  readonly #prefix: string;
  #names = 0;
  #ids = 0;

  private constructor(under: TransportUnderTest, prefix: string) {
    this.under = under;
    this.clock = under.clock;
    this.#prefix = prefix;
    this.transport = under.connect();
  }

  static async run(under: TransportUnderTest, prefix: string, each: TransportCase): Promise<void> {
    const trial = new Trial(under, prefix);
    if (each.applies?.(trial.transport.capabilities, under) === false) return;
    await trial.transport.open(trial.host());
    trial.#opened.push(trial.transport);
    try {
      await each.run(trial);
    } finally {
      for (const transport of trial.#opened) await trial.close(transport);
    }
    await trial.clock.pass(0);
    assertEquals(trial.violations, []);
    assertEquals(trial.clock.pending ?? 0, 0, "Timers are left after close");
  }

  get has(): Capabilities {
    return this.transport.capabilities;
  }

  /** A name of this case's own. */
  name(of: string): string {
    return `${this.#prefix}${of}${++this.#names}`;
  }

  host(signal: AbortSignal = new AbortController().signal): Host {
    return { bus: this.#prefix, clock: this.clock, signal, status: () => {} };
  }

  /** Another transport on the same broker. */
  async open(): Promise<Transport> {
    const transport = this.under.connect();
    await transport.open(this.host());
    this.#opened.push(transport);
    return transport;
  }

  /** Closes a transport; its inboxes get nothing more. */
  async close(transport: Transport, deadline: number = this.clock.now() + 1_000): Promise<void> {
    await transport.close(deadline);
    for (const inbox of this.#inboxes.get(transport) ?? []) inbox.closed("close");
  }

  /** Deploys; `topics` maps a topic to the names of queues, or addresses of topics, that it leads to. */
  deploy(
    queues: readonly string[],
    topics: Readonly<Record<string, readonly string[]>> = {},
    mode: DeployMode = "apply",
  ): Promise<readonly Change[]> {
    return this.transport.deploy(topology(queues, topics), mode);
  }

  /** A new queue that takes these topics. */
  async queue(...topics: readonly string[]): Promise<string> {
    const queue = this.name("queue");
    await this.deploy([queue], Object.fromEntries(topics.map((topic) => [topic, [queue]])));
    return queue;
  }

  /** A new queue for ordered sources. */
  async orderedQueue(): Promise<string> {
    const name = this.name("queue");
    await this.transport.deploy(
      { queues: [{ name, extensions: [], ordered: true }], topics: [], bindings: [] },
      "apply",
    );
    return name;
  }

  /** Receives. */
  async receive(
    queue: string,
    options: Partial<Source> & { readonly from?: Transport } = {},
  ): Promise<Inbox> {
    const { from = this.transport, ...source } = options;
    const inbox = new Inbox(source.credit ?? 100, this.violations, () => this.clock.now());
    this.#inboxes.set(from, [...this.#inboxes.get(from) ?? [], inbox]);
    inbox.receiver = await from.receive({
      queue,
      topics: [],
      lifetime: "durable",
      credit: 100,
      ordered: false,
      holdMs: 60_000,
      extensions: [],
      ...source,
    }, inbox);
    return inbox;
  }

  /** Makes what `send` takes; `settled` resolves with the receipt. */
  outgoing(
    to: string,
    sending: Sending = {},
  ): { readonly outgoing: Outgoing; readonly settled: Promise<string | undefined> } {
    const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
    let calls = 0;
    const { text = "", ...rest } = sending;
    const outgoing: Outgoing = {
      frame: frame(text),
      messageId: `${this.#prefix}${++this.#ids}`,
      to,
      alsoTo: [],
      mandatory: false,
      ...rest,
      settled: (error, receipt) => {
        if (++calls > 1) this.violations.push(`"settled" called ${calls} times`);
        if (error === undefined) resolve(receipt);
        else reject(error);
      },
    };
    promise.catch(() => {}); // whoever sent may look later
    return { outgoing, settled: promise };
  }

  /** Sends several in one batch, minding what the transport asks; rejects with the first error. */
  async sendAll(
    to: string,
    sendings: readonly Sending[],
    from: Transport = this.transport,
  ): Promise<readonly (string | undefined)[]> {
    const made = sendings.map((sending) => this.outgoing(to, sending));
    await from.send(made.map(({ outgoing }) => outgoing));
    return await Promise.all(made.map(({ settled }) => settled));
  }

  /** Sends one. */
  async send(to: string, sending: Sending = {}, from: Transport = this.transport): Promise<string | undefined> {
    const [receipt] = await this.sendAll(to, [sending], from);
    return receipt;
  }

  /** Lets time pass until a condition holds; fails if that takes too long. */
  until(what: string, condition: () => boolean, within?: number): Promise<void> {
    return eventually(this.clock, what, condition, within);
  }

  /** Awaits that so many have come in all. */
  async came(inbox: Inbox, count: number, within?: number): Promise<void> {
    await this.until(`${count} messages`, () => inbox.received.length >= count, within).catch((error: Error) => {
      throw new Error(`${error.message}; there came ${inbox.received.length}: ${inbox.texts.slice(0, 20).join(", ")}`);
    });
  }

  /** Lets what is on its way arrive, where a case claims that nothing is. */
  quiet(): Promise<void> {
    return this.clock.pass(200);
  }

  /**
   * What a new receiver finds in a queue.
   *
   * @param least how many are awaited before it is looked whether there are more
   */
  async left(queue: string, least = 0): Promise<readonly string[]> {
    const inbox = await this.receive(queue);
    // Accepted as they come: some brokers give one at a time. Bounded: a transport that never hears of it goes on.
    inbox.handle((delivery) => {
      if (inbox.received.length <= mostLeft) void inbox.accept([delivery]);
    });
    await this.came(inbox, least);
    await this.quiet();
    await inbox.stop();
    return inbox.texts;
  }
}

const mostLeft = 10_000;

/** `topics` maps a topic to the names of queues, or addresses of topics, that it leads to. */
export function topology(
  queues: readonly string[],
  topics: Readonly<Record<string, readonly string[]>> = {},
): Topology {
  return {
    queues: queues.map((name) => ({ name, extensions: [] })),
    topics: Object.keys(topics).map((name) => ({ name, extensions: [] })),
    bindings: Object.entries(topics).flatMap(([topic, to]) =>
      to.map((each) => ({ topic, to: each.startsWith("topic:") ? each : `queue:${each}` }))
    ),
  };
}
