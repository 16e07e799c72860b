/** One transport on the broker, and what tests do with it. */
import { assertEquals } from "@std/assert";
import type { Outgoing, Source, Topology } from "../../../src/spi/transport.ts";
import type { RabbitmqOptions, RabbitmqTransport } from "../../../transports/rabbitmq/mod.ts";
import { eventually, realTime, type TestClock } from "../../conformance/test_clock.ts";
import { Inbox } from "../../conformance/transport/inbox.ts";
import { frame, topology } from "../../conformance/transport/trial.ts";
import { test } from "../../support/runner.ts";
import { RabbitmqBench, raw, type RawChannel, skip } from "./broker.ts";

let rigs = 0;
const run = Math.floor(performance.timeOrigin + performance.now()).toString(36);

/** An open transport, and names of its own. */
export class Rig {
  readonly clock: TestClock = realTime();
  readonly transport: RabbitmqTransport;
  readonly bench: RabbitmqBench;
  readonly violations: string[] = [];
  readonly states: string[] = [];
  readonly #prefix = `r${run}-${++rigs}-`;
  #names = 0;

  constructor(bench: RabbitmqBench, transport: RabbitmqTransport) {
    this.bench = bench;
    this.transport = transport;
  }

  name(of: string): string {
    return `${this.#prefix}${of}${++this.#names}`;
  }

  open(): Promise<void> {
    return this.#open(this.transport);
  }

  /** Another transport of the same broker, as another process has one; to be closed. */
  async other(): Promise<RabbitmqTransport> {
    await this.bench.prepare(1);
    const other = this.bench.connect();
    await this.#open(other);
    return other;
  }

  #open(transport: RabbitmqTransport): Promise<void> {
    return transport.open({
      bus: "test",
      clock: this.clock,
      signal: new AbortController().signal,
      status: ({ state }) => this.states.push(state),
    });
  }

  /** A new queue that takes these topics. */
  async queue(...topics: readonly string[]): Promise<string> {
    const queue = this.name("queue");
    await this.transport.deploy(topology([queue], Object.fromEntries(topics.map((each) => [each, [queue]]))), "apply");
    return queue;
  }

  /** Takes these away in the end. */
  owns(topology: Topology): void {
    this.bench.owns(topology);
  }

  async receive(queue: string, source: Partial<Source> = {}): Promise<Inbox> {
    const inbox = new Inbox(source.credit ?? 100, this.violations, () => this.clock.now());
    inbox.receiver = await this.transport.receive({
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

  /** Sends one, by this transport or another; resolves when it is settled. */
  send(to: string, text: string, more: Partial<Outgoing> = {}, by = this.transport): Promise<void> {
    return new Promise((resolve, reject) => {
      void by.send([{
        frame: frame(text),
        messageId: `${this.#prefix}${text}`,
        to,
        alsoTo: [],
        mandatory: false,
        ...more,
        settled: (error) => error === undefined ? resolve() : reject(error),
      }]);
    });
  }

  until(what: string, condition: () => boolean, within?: number): Promise<void> {
    return eventually(this.clock, what, condition, within);
  }

  came(inbox: Inbox, count: number, within?: number): Promise<void> {
    return this.until(`${count} messages`, () => inbox.received.length >= count, within);
  }

  /** Something that a client does which knows nothing of this library. */
  raw<Result>(use: (channel: RawChannel) => Promise<Result>): Promise<Result> {
    return raw(use);
  }
}

/** Registers a test with a rig of its own; skipped where there is no broker, or for another reason that is given. */
export function rig(
  name: string,
  run: (rig: Rig) => Promise<void>,
  options: RabbitmqOptions = {},
  skipped: string | undefined = skip,
): void {
  test(`rabbitmq: ${name}`, async () => {
    const bench = new RabbitmqBench();
    await bench.prepare(1);
    const rig = new Rig(bench, bench.connect(options));
    try {
      await rig.open();
      await run(rig);
    } finally {
      await rig.transport.close(rig.clock.now() + 1_000);
      await bench[Symbol.asyncDispose]();
    }
    assertEquals(rig.violations, []);
  }, { skip: skipped });
}
