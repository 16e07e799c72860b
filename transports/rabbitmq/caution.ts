/** Messages that may have killed their process. @module */
import type { Message } from "amqplib";
import { Deque } from "../../src/values/deque.ts";
import type { Claim } from "./claims.ts";
import { returnsIn } from "./frame.ts";

/** From this delivery on a message is suspected, and handled alone. */
const suspectedFrom = 5;

/**
 * Keeps a message that has come often apart from what else is prefetched: if it kills the process again, the broker
 * counts that for it alone. So a consumer begins with a prefetch of one (what came back from a process that died is in
 * front), and takes more once it has seen something that is not suspected. A suspect that comes in between waits until
 * all else is settled.
 *
 * `probing`: one at a time. `trusting`: as many as there is credit. `isolating`: nothing more comes; suspects are handed
 * out one by one, after all others.
 */
export class Caution {
  readonly #counts: boolean;
  readonly #suspects = new Deque<Claim>();
  #mode: "probing" | "trusting" | "isolating";

  /** @param counts whether the queue counts deliveries, and its consumer can be made anew at any time */
  constructor(counts: boolean) {
    this.#counts = counts;
    this.#mode = counts ? "probing" : "trusting";
  }

  /** Whether nothing more is to come for now, while what has come is handed out. */
  get isolating(): boolean {
    return this.#mode === "isolating";
  }

  /** How many may come, where there is credit for so many. */
  allowed(credit: number): number {
    return this.#mode === "trusting" ? credit : this.#mode === "probing" ? Math.min(1, credit) : 0;
  }

  /** One has come. `held`: it is kept for later. `changed`: {@linkcode allowed} has. */
  saw(claim: Claim): { readonly held: boolean; readonly changed: boolean } {
    if (!this.#counts) return unsuspicious;
    const suspected = deliveries(claim.message) >= suspectedFrom;
    if (this.#mode === "probing") {
      if (suspected) return unsuspicious;
      this.#mode = "trusting";
      return { held: false, changed: true };
    }
    if (!suspected) return unsuspicious;
    this.#suspects.pushBack(claim);
    const changed = this.#mode === "trusting";
    this.#mode = "isolating";
    return { held: true, changed };
  }

  /** All that was handed out is settled: the next suspect; `undefined`: there is none, and `isolating` is over. */
  next(): Claim | undefined {
    const claim = this.#suspects.popFront();
    if (claim === undefined) this.#mode = "probing";
    return claim;
  }

  /** Takes out what is kept. */
  clear(): readonly Claim[] {
    const all = [...this.#suspects];
    this.reset();
    return all;
  }

  /** The channel is gone. */
  reset(): void {
    this.#suspects.clear();
    if (this.#counts) this.#mode = "probing";
  }
}

const unsuspicious = { held: false, changed: false } as const;

function deliveries({ properties }: Message): number {
  return (returnsIn(properties.headers ?? {}) ?? 0) + 1;
}
