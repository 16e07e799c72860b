/** A broker, transports on it, and what a test does with them. */
import { virtualTime } from "../../conformance/test_clock.ts";
import { Inbox } from "../../conformance/transport/inbox.ts";
import { frame, topology } from "../../conformance/transport/trial.ts";
import type { Extension, Host, Outgoing, Source, Transport } from "../../../src/spi/transport.ts";
import { memory, type MemoryBroker, memoryBroker, type MemoryOptions } from "../../../transports/memory/mod.ts";

/** What a message came to: `sent`, or the error. */
export type Outcome = "sent" | Error;

/** A broker with one open transport. */
export class Bench {
  readonly broker: MemoryBroker;
  readonly clock = virtualTime();
  readonly states: string[] = [];
  readonly abort = new AbortController();

  constructor(options: { readonly byReference?: boolean } = {}) {
    this.broker = memoryBroker(options);
  }

  get host(): Host {
    return {
      bus: "test",
      clock: this.clock,
      signal: this.abort.signal,
      status: ({ state }) => this.states.push(state),
    };
  }

  async open(options: MemoryOptions = {}): Promise<Transport> {
    const transport = memory({ broker: this.broker, ...options });
    await transport.open(this.host);
    return transport;
  }
}

/** Makes queues. */
export async function queues(transport: Transport, ...names: readonly string[]): Promise<void> {
  await transport.deploy(topology(names), "apply");
}

/** Makes a queue with a setting of its own. */
export async function queueWith(
  transport: Transport,
  name: string,
  ...extensions: readonly Extension[]
): Promise<void> {
  await transport.deploy({ queues: [{ name, extensions }], topics: [], bindings: [] }, "apply");
}

/** Makes what `send` takes; the outcome is pushed onto `outcomes`. */
export function outgoing(to: string, more: Partial<Outgoing> & { readonly text?: string } = {}): Outgoing & {
  readonly outcomes: Outcome[];
} {
  const outcomes: Outcome[] = [];
  const { text = "", ...rest } = more;
  return {
    frame: frame(text),
    messageId: "id",
    to,
    alsoTo: [],
    mandatory: false,
    settled: (error) => void outcomes.push(error ?? "sent"),
    ...rest,
    outcomes,
  };
}

/** Receives into an inbox whose violations fail nothing by themselves: look at them. */
export async function receive(
  bench: Bench,
  transport: Transport,
  source: Partial<Source> & { readonly queue: string },
): Promise<Inbox & { readonly violations: readonly string[] }> {
  const violations: string[] = [];
  const inbox = new Inbox(source.credit ?? 10, violations, () => bench.clock.now());
  inbox.receiver = await transport.receive({
    topics: [],
    lifetime: "durable",
    credit: 10,
    ordered: false,
    holdMs: 1_000,
    extensions: [],
    ...source,
  }, inbox);
  return Object.assign(inbox, { violations });
}
