/** A sink that keeps what comes, and watches that its promises are kept. */
import { assert } from "@std/assert";
import type { Delivery, Receiver, Settlement, Sink } from "../../../src/spi/transport.ts";

type Outcome = Settlement extends infer S ? S extends Settlement ? Omit<S, "delivery"> : never : never;

/** What a transport promised and did not keep; each case ends with a look at it. */
export type Violations = string[];

/** A sink, and its receiver. */
export class Inbox implements Sink {
  /** All that came, in order. */
  readonly received: Delivery[] = [];
  /** When each came. */
  readonly times: number[] = [];
  /** What was lost, and why. */
  readonly lostDeliveries: Delivery[] = [];
  readonly lostReasons: Error[] = [];
  /** How often the address has changed. */
  readdresses = 0;
  /** What it may have unsettled. */
  allowed: number;
  readonly #unsettled = new Set<Delivery>();
  /** What is being settled: the claim may still be lost before the broker hears of it. */
  readonly #settling = new Set<Delivery>();
  readonly #seen = new Set<Delivery>();
  readonly #violations: Violations;
  readonly #now: () => number;
  #handler: ((delivery: Delivery) => void) | undefined;
  #receiver: Receiver | undefined;
  #closed: string | undefined;

  constructor(credit: number, violations: Violations, now: () => number) {
    this.allowed = credit;
    this.#violations = violations;
    this.#now = now;
  }

  /** Its receiver, once there is one. */
  get receiver(): Receiver {
    assert(this.#receiver !== undefined, "The receiver is not there yet");
    return this.#receiver;
  }
  set receiver(receiver: Receiver) {
    this.#receiver = receiver;
  }

  /** What is unsettled, in order of delivery. */
  get unsettled(): readonly Delivery[] {
    return [...this.#unsettled];
  }

  /** The bodies of all that came, as text. */
  get texts(): readonly string[] {
    return this.received.map(text);
  }

  deliver(batch: readonly Delivery[]): void {
    if (this.#closed !== undefined) this.#violations.push(`${batch.length} delivered after ${this.#closed}`);
    for (const delivery of batch) {
      if (this.#seen.has(delivery)) this.#violations.push("One object delivered twice");
      this.#seen.add(delivery);
      this.received.push(delivery);
      this.times.push(this.#now());
      this.#unsettled.add(delivery);
    }
    if (this.#unsettled.size > this.allowed) {
      this.#violations.push(`${this.#unsettled.size} unsettled with a credit of ${this.allowed}`);
    }
    if (this.#handler !== undefined) { for (const delivery of batch) this.#handler(delivery); }
  }

  lost(deliveries: readonly Delivery[], reason: Error): void {
    if (this.#closed === "close") this.#violations.push("Lost after close");
    if (!(reason instanceof Error)) this.#violations.push("Lost without an error");
    for (const delivery of deliveries) {
      const held = this.#unsettled.delete(delivery) || this.#settling.delete(delivery);
      if (!held) this.#violations.push("Lost what was not unsettled");
      this.lostDeliveries.push(delivery);
      this.lostReasons.push(reason);
    }
  }

  readdressed(): void {
    if (this.#closed === "close") this.#violations.push("Readdressed after close");
    this.readdresses++;
  }

  /** Settles, by default all that is unsettled. */
  settle(outcome: Outcome, deliveries: Iterable<Delivery> = this.unsettled): Promise<void> {
    const batch = [...deliveries].map((delivery): Settlement => ({ delivery, ...outcome }));
    return this.settleAll(batch);
  }

  /** Settles with an outcome each. */
  async settleAll(batch: readonly Settlement[]): Promise<void> {
    for (const { delivery } of batch) if (this.#unsettled.delete(delivery)) this.#settling.add(delivery);
    try {
      await this.receiver.settle(batch);
    } finally {
      for (const { delivery } of batch) this.#settling.delete(delivery);
    }
  }

  accept(deliveries?: Iterable<Delivery>): Promise<void> {
    return this.settle({ outcome: "accept" }, deliveries);
  }

  /** What becomes of each that comes from now on, and of each that is unsettled. */
  handle(handler: (delivery: Delivery) => void): void {
    this.#handler = handler;
    for (const delivery of this.unsettled) handler(delivery);
  }

  /** Accepts all that comes from now on, and what is unsettled. */
  acceptAll(): void {
    this.handle((delivery) => void this.accept([delivery]));
  }

  /** Nothing may come from now on. */
  closed(by: "stop" | "close"): void {
    this.#closed = by;
  }

  async stop(): Promise<void> {
    await this.receiver.stop();
    this.closed("stop");
  }

  /** The one that is unsettled. */
  get only(): Delivery {
    const [delivery, ...others] = this.#unsettled;
    assert(delivery !== undefined && others.length === 0, `Expected one unsettled, not ${this.#unsettled.size}`);
    return delivery;
  }
}

const decoder = new TextDecoder();

/** The body of a delivery, as text. */
export function text({ frame }: Delivery): string {
  return decoder.decode(frame.body);
}
