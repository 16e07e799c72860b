/** What the unit of one delivery is about. @module */
import type { InboxKey } from "../spi/rows.ts";
import type { Scope } from "../spi/store.ts";

/** Of a delivery whose signal is made when it is first asked for: most units ask for none. */
export class DeliveryScope implements Scope {
  readonly bus: string;
  readonly partition: string;
  readonly inbox: readonly InboxKey[];
  readonly leaseMs: number;
  readonly #source: { readonly signal: AbortSignal };

  constructor(
    bus: string,
    partition: string,
    inbox: readonly InboxKey[],
    source: { readonly signal: AbortSignal },
    leaseMs: number,
  ) {
    this.bus = bus;
    this.partition = partition;
    this.inbox = inbox;
    this.leaseMs = leaseMs;
    this.#source = source;
  }

  get signal(): AbortSignal {
    return this.#source.signal;
  }
}
