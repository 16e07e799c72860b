/** What the unit of one delivery is about. @module */
import type { InboxKey } from "../spi/rows.ts";
import type { Endable, Scope } from "../spi/store.ts";

/** Where its signal comes from. */
export interface ScopeSource {
  /** Made when it is first read. */
  readonly signal: AbortSignal;
  /** The unit that ends with it. */
  ending: Endable | undefined;
}

/** Of a delivery whose signal is made when it is first asked for: most units ask for none. */
export class DeliveryScope implements Scope {
  readonly bus: string;
  readonly partition: string;
  readonly inbox: readonly InboxKey[];
  readonly leaseMs: number;
  readonly #source: ScopeSource;

  constructor(
    bus: string,
    partition: string,
    inbox: readonly InboxKey[],
    source: ScopeSource,
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

  listen(unit: Endable): void {
    this.#source.ending = unit;
  }
  forget(unit: Endable): void {
    if (this.#source.ending === unit) this.#source.ending = undefined;
  }
}
