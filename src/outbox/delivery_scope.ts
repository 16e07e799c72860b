/** What the unit of one delivery is about. @module */
import type { InboxKey, InstanceKey } from "../spi/rows.ts";
import type { Endable, Scope } from "../spi/store.ts";

/** Where its signal comes from. */
export interface ScopeSource {
  /** Made when it is first read. */
  readonly signal: AbortSignal;
  /** Why it has aborted, or would have. */
  readonly aborted: Error | undefined;
  /** The unit that ends with it. */
  ending: Endable | undefined;
}

/** Of a delivery whose unit is waited for. Its signal is made when it is first asked for: most units ask for none. */
export class DeliveryScope implements Scope {
  readonly bus: string;
  readonly partition: string;
  readonly inbox: readonly InboxKey[];
  readonly instances: (() => readonly InstanceKey[]) | undefined;
  readonly leaseMs: number;
  readonly #source: ScopeSource;
  #signal: AbortSignal | undefined;

  constructor(
    bus: string,
    partition: string,
    inbox: readonly InboxKey[],
    source: ScopeSource,
    leaseMs: number,
    instances?: () => readonly InstanceKey[],
  ) {
    this.bus = bus;
    this.partition = partition;
    this.inbox = inbox;
    this.leaseMs = leaseMs;
    this.instances = instances;
    this.#source = source;
  }

  get signal(): AbortSignal {
    return this.#signal ??= this.#source.signal; // that of the attempt, also once the next has begun
  }

  listen(unit: Endable): void {
    this.#source.ending = unit;
    const { aborted } = this.#source;
    if (aborted !== undefined) unit.end(aborted);
  }
  forget(unit: Endable): void {
    if (this.#source.ending === unit) this.#source.ending = undefined;
  }
}
