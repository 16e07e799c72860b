/** SQS' shape: messages that are leased for a while, deleted by receipt, and come again when the lease ends. */
import type { Clock } from "../../../src/spi/clock.ts";

/** What a broker keeps of a message: ten attributes, and a body. */
export interface LeaseContents {
  readonly body: Uint8Array;
  readonly attributes: Readonly<Record<string, string>>;
  /** The message group. */
  readonly group: string | undefined;
}

/** A message under a lease. */
export interface Leased extends LeaseContents {
  /** Of this lease: a later one has another. */
  readonly receipt: string;
  readonly receiveCount: number;
}

interface Stored extends LeaseContents {
  /** Epoch milliseconds: before that, it is delayed or leased. */
  visibleAt: number;
  receiveCount: number;
  receipt: string | undefined;
}

/** How long a lease lasts that is not renewed, in milliseconds. */
export const leaseMs = 30_000;
/** How far ahead a message may become visible, in milliseconds. */
export const maxDelayMs: number = 15 * 60_000;

/** A queue. */
export class LeaseQueue {
  /** In order of sending, which a message keeps. */
  readonly #messages = new Map<number, Stored>();
  readonly #byReceipt = new Map<string, number>();
  /** Those who wait for messages. */
  readonly #polls = new Set<() => void>();
  #ids = 0;
  #receipts = 0;
  #cancelTimer: (() => void) | undefined;
  #timerAt = Infinity;

  send(contents: LeaseContents, visibleAt: number): void {
    this.#messages.set(++this.#ids, { ...contents, visibleAt, receiveCount: 0, receipt: undefined });
    this.#wake();
  }

  /** Leases up to `limit`, at most ten; `fifo`: none whose group is leased, and one of a group. */
  receive(limit: number, fifo: boolean, now: number): readonly Leased[] {
    const leased: Leased[] = [];
    const busy = new Set<string | undefined>();
    if (fifo) { for (const each of this.#messages.values()) if (isLeased(each, now)) busy.add(each.group); }
    busy.delete(undefined);
    for (const [id, message] of this.#messages) {
      if (leased.length >= Math.min(limit, 10)) break;
      if (message.visibleAt > now || busy.has(message.group)) continue;
      if (fifo && message.group !== undefined) busy.add(message.group);
      if (message.receipt !== undefined) this.#byReceipt.delete(message.receipt);
      message.receipt = `receipt-${++this.#receipts}`;
      message.receiveCount++;
      message.visibleAt = now + leaseMs;
      this.#byReceipt.set(message.receipt, id);
      const { body, attributes, group, receipt, receiveCount } = message;
      leased.push({ body, attributes, group, receipt, receiveCount });
    }
    return leased;
  }

  /** Changes when the message becomes visible; false: the lease has ended. */
  changeVisibility(receipt: string, visibleAt: number, now: number): boolean {
    const message = this.#leased(receipt, now);
    if (message === undefined) return false;
    message.visibleAt = visibleAt;
    if (visibleAt - now <= 0 || visibleAt - now > leaseMs) this.#end(message);
    this.#wake();
    return true;
  }

  /** Deletes by receipt; false: the lease has ended. */
  delete(receipt: string, now: number): boolean {
    const id = this.#byReceipt.get(receipt);
    const message = this.#leased(receipt, now);
    if (id === undefined || message === undefined) return false;
    this.#messages.delete(id);
    this.#byReceipt.delete(receipt);
    this.#wake();
    return true;
  }

  /** Calls `poll` whenever something may have become visible; the result ends that. */
  poll(poll: () => void, clock: Clock): () => void {
    this.#polls.add(poll);
    this.arm(clock);
    return () => {
      this.#polls.delete(poll);
      if (this.#polls.size > 0) return;
      this.#cancelTimer?.();
      this.#timerAt = Infinity;
    };
  }

  /** Sets the timer for what becomes visible next, while somebody waits for it. */
  arm(clock: Clock): void {
    const now = clock.now();
    let next = Infinity;
    for (const { visibleAt } of this.#messages.values()) if (visibleAt > now) next = Math.min(next, visibleAt);
    if (this.#polls.size === 0 || next === this.#timerAt) return;
    this.#cancelTimer?.();
    this.#timerAt = next;
    if (next === Infinity) return;
    this.#cancelTimer = (clock.background ?? clock).at(next, () => {
      this.#timerAt = Infinity;
      this.#wake();
      this.arm(clock);
    });
  }

  #leased(receipt: string, now: number): Stored | undefined {
    const message = this.#messages.get(this.#byReceipt.get(receipt) ?? -1);
    return message !== undefined && message.visibleAt > now ? message : undefined;
  }

  #end(message: Stored): void {
    if (message.receipt !== undefined) this.#byReceipt.delete(message.receipt);
    message.receipt = undefined;
  }

  #wake(): void {
    for (const poll of this.#polls) poll();
  }
}

function isLeased({ receipt, visibleAt }: Stored, now: number): boolean {
  return receipt !== undefined && visibleAt > now;
}

/** What several transports share: queues, and topics that queues subscribe to. */
export class LeaseBroker {
  readonly queues: Map<string, LeaseQueue> = new Map();
  readonly topics: Map<string, Set<string>> = new Map();

  /** The queues that an address leads to; `undefined`: there is no such address. */
  route(address: string): readonly LeaseQueue[] | undefined {
    if (address.startsWith("topic:")) {
      const names = this.topics.get(address.slice("topic:".length));
      return names && [...names].flatMap((name) => this.queues.get(name) ?? []);
    }
    const queue = this.queues.get(address.slice("queue:".length));
    return queue && [queue];
  }
}
