/** A broker in memory, buses on it and virtual time: what the tests of a bus have in common. */
import { assert, assertEquals } from "@std/assert";
import { createBus } from "../../src/bus/create_bus.ts";
import type { Bus } from "../../src/bus/bus.ts";
import type { BusOptions } from "../../src/bus/bus_options.ts";
import type {
  BusObserver,
  ObservedDelivery,
  ObservedFailure,
  ObservedSend,
  Unhandled,
} from "../../src/pipeline/observers.ts";
import type { Frame, FrameHeaders } from "../../src/spi/frame.ts";
import type { Admin, Delivery, Outgoing, Transport } from "../../src/spi/transport.ts";
import { turn } from "../../src/testing/turn.ts";
import { VirtualClock } from "../../src/testing/virtual_clock.ts";
import { memory, type MemoryBroker, memoryBroker } from "../../transports/memory/mod.ts";
import { test, type TestOptions } from "./runner.ts";

/** The most turns of the event loop that a condition is waited for: what takes more never comes. */
const mostTurns = 500;

/** What a raw client puts on a queue or topic. */
export interface RawMessage {
  readonly body: Uint8Array | string;
  readonly headers?: FrameHeaders;
  readonly contentType?: string;
  readonly key?: string;
  readonly expiresAt?: number;
}

/** A broker in memory, and what a test does with it. */
export class Trial {
  readonly clock: VirtualClock = new VirtualClock();
  readonly broker: MemoryBroker = memoryBroker();
  readonly #transports = new Map<Bus, Transport>();
  #client: Transport | undefined;
  readonly #abort = new AbortController();

  /** A bus on the broker, stopped when the test ends. */
  bus(options: Partial<BusOptions<undefined>> = {}): Bus {
    const transport = memory({ broker: this.broker });
    const bus = createBus({ name: "app", transport, clock: this.clock, random: () => 0.5, ...options });
    this.#transports.set(bus, transport);
    return bus;
  }

  /** The transport of a bus: for `broker.kill` and `broker.disconnect`. */
  transportOf(bus: Bus): Transport {
    const transport = this.#transports.get(bus);
    assert(transport !== undefined, "This bus is not the trial's");
    return transport;
  }

  /** Lets everything that waits for no time go as far as it can. */
  settled(): Promise<void> {
    return this.pass(0);
  }

  /** Lets time pass, in milliseconds. */
  pass(ms: number): Promise<void> {
    return this.clock.advanceTo(this.clock.now() + ms, turn);
  }

  /** Waits, without time passing, until the condition holds. */
  async until(what: string, condition: () => boolean): Promise<void> {
    for (let turns = 0; turns < mostTurns; turns++) {
      if (condition()) return;
      await turn();
    }
    throw new Error(`It never came to this: ${what}`);
  }

  /** A client of the broker that knows nothing of buses. */
  async client(): Promise<Transport> {
    if (this.#client !== undefined) return this.#client;
    const client = memory({ broker: this.broker });
    await client.open({ bus: "raw", clock: this.clock.background, signal: this.#abort.signal, status: () => {} });
    return this.#client = client;
  }

  /** Puts something on a queue or topic, as a program without this library would. */
  async put(
    to: string,
    { body, headers = {}, contentType = "application/json", key, expiresAt }: RawMessage,
  ): Promise<void> {
    const client = await this.client();
    const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
    const frame: Frame = { contentType, headers, body: bytes };
    await new Promise<void>((resolve, reject) => {
      const outgoing: Outgoing = {
        frame,
        messageId: "raw",
        to,
        alsoTo: [],
        key,
        expiresAt,
        mandatory: true,
        settled: (error) => error === undefined ? resolve() : reject(error),
      };
      client.send([outgoing]);
    });
  }

  /** What waits in a queue, in order. */
  async peek(queue: string): Promise<readonly Delivery[]> {
    return (await (await this.#admin()).browse(queue, undefined, 10_000)).items;
  }

  /** How much waits in a queue. */
  async count(queue: string): Promise<number> {
    return (await (await this.#admin()).count(queue)).waiting;
  }

  async #admin(): Promise<Admin> {
    const { admin } = await this.client();
    assert(admin !== undefined);
    return admin;
  }

  /** Stops every bus without waiting for handlers. */
  async end(): Promise<void> {
    for (const bus of this.#transports.keys()) await bus.stop({ deadline: 0 });
    this.#abort.abort();
    await this.#client?.close(this.clock.now());
    await turn();
  }
}

/** Registers a test with a trial of its own. Once its buses have stopped, no timer may be left. */
export function trial(name: string, run: (trial: Trial) => Promise<void>, options?: TestOptions): void {
  test(name, async () => {
    const trial = new Trial();
    try {
      await run(trial);
    } finally {
      await trial.end();
    }
    assertEquals(trial.clock.pending, 0, "A timer is left after all buses have stopped");
  }, options);
}

/** A handler's wait, let go by the test. */
export class Latch {
  readonly #gate = Promise.withResolvers<void>();
  #arrived = 0;

  /** How many have come to it. */
  get arrived(): number {
    return this.#arrived;
  }

  /** Waits until it is opened. */
  pass(): Promise<void> {
    this.#arrived++;
    return this.#gate.promise;
  }

  open(): void {
    this.#gate.resolve();
  }

  fail(error: unknown): void {
    this.#gate.reject(error);
  }
}

/** An observer that writes down what it is told, as `event name attempt`. */
export class Journal implements BusObserver {
  readonly lines: string[] = [];

  sent({ kind, name, error }: ObservedSend): void {
    this.lines.push(`${kind} ${name}${failed(error)}`);
  }
  published({ name, error }: ObservedSend): void {
    this.lines.push(`publish ${name}${failed(error)}`);
  }
  received({ name, attempt }: ObservedDelivery): void {
    this.lines.push(`received ${name} ${attempt}`);
  }
  consumed({ name, attempt }: ObservedDelivery): void {
    this.lines.push(`consumed ${name} ${attempt}`);
  }
  retried({ name, attempt, error, then }: ObservedFailure): void {
    this.lines.push(`retried ${name} ${attempt} ${error.message} ${then}`);
  }
  faulted({ name, attempt, error, then }: ObservedFailure): void {
    this.lines.push(`faulted ${name} ${attempt} ${error.message} ${then}`);
  }
  unhandled({ name }: ObservedDelivery, why: Unhandled): void {
    this.lines.push(`unhandled ${name} ${why}`);
  }

  /** Those that begin so. */
  of(event: string): readonly string[] {
    return this.lines.filter((line) => line.startsWith(event));
  }
}

function failed(error: Error | undefined): string {
  return error === undefined ? "" : ` ${error.name}`;
}

/** All of an async iterable. */
export async function all<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

/** A body as text. */
export function textOf({ frame }: Delivery): string {
  return new TextDecoder().decode(frame.body);
}
