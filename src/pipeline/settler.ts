/** Settles deliveries, in batches. @module */
import { toError } from "../errors/thrown.ts";
import { macrotask, turnsTaken } from "../runtime/macrotask.ts";
import type { Clock } from "../spi/clock.ts";
import type { Telemetry } from "../spi/telemetry.ts";
import type { Receiver, Settlement } from "../spi/transport.ts";
import { isPromise } from "../values/awaitable.ts";

/** How often a copy that failed is tried again, before its delivery goes back. */
const mostTries = 5;
const firstWaitInMs = 100;
/** So long after one that failed it is not known whether the next would. */
const troubledForMs = 60_000;
/** After so many the event loop has a turn: a hundred microseconds' work and more. */
const mostInARow = 8192;

/** Settles the deliveries of one receiver: one batch for what was settled in one tick. */
export class Settler {
  readonly #receiver: Receiver;
  readonly #clock: Clock;
  readonly #seen: ((outcome: Settlement["outcome"], count: number) => void) | undefined;
  /** Made with its first: an array that is pushed to has room for many. */
  #pending: Settlement[] | undefined;
  #scheduled = false;
  #held = false;
  /** How many were settled without the event loop having had a turn, as far as is known here. */
  #inARow = 0;
  #turns = 0;
  #unsettled = 0;
  #trouble: { readonly error: Error; readonly at: number } | undefined;
  #idle: PromiseWithResolvers<void> | undefined;
  #closed = false;
  /** What is to be tried again, by what cancels it. */
  readonly #later = new Set<() => void>();
  readonly #flush = (): void => this.#settle();

  constructor(
    receiver: Receiver,
    clock: Clock,
    telemetry: { readonly telemetry: Telemetry | undefined; readonly bus: string; readonly endpoint: string },
  ) {
    this.#receiver = receiver;
    this.#clock = clock;
    const { telemetry: seen, bus, endpoint } = telemetry;
    this.#seen = seen === undefined ? undefined : (outcome, count) => seen.settle(bus, endpoint, outcome, count);
  }

  /** Settlements that the broker has not heard of yet. */
  get unsettled(): number {
    return this.#unsettled;
  }

  /** Why deliveries cannot be moved or put off, and come again instead; `undefined`: they can, as far as is known. */
  get trouble(): Error | undefined {
    if (this.#trouble === undefined) return undefined;
    const { error, at } = this.#trouble;
    return this.#clock.now() - at < troubledForMs ? error : undefined;
  }

  /** Until `letGo`, nothing is settled: what is done meanwhile is one batch. */
  hold(): void {
    this.#held = true;
  }

  /** Settles at once what was held. */
  letGo(): void {
    this.#held = false;
    if (!this.#scheduled) this.#settle();
  }

  /** Settles with all others of this tick. */
  settle(settlement: Settlement): void {
    this.#unsettled++;
    if (this.#pending === undefined) this.#pending = [settlement];
    else this.#pending.push(settlement);
    if (this.#scheduled) return;
    const rests = this.#unsettled + this.#inARow >= mostInARow;
    if (this.#held && !rests) return;
    this.#scheduled = true;
    if (!rests) return queueMicrotask(this.#flush);
    // Messages that bring messages go on in microtasks for ever: timers and sockets must have their turn.
    this.#inARow = 0;
    macrotask(this.#flush);
  }

  #settle(): void {
    this.#scheduled = false;
    const batch = this.#pending;
    if (batch === undefined) return;
    this.#pending = undefined;
    const turns = turnsTaken();
    if (turns !== this.#turns) this.#inARow = 0;
    this.#turns = turns;
    this.#inARow += batch.length;
    if (this.#seen !== undefined) this.#show(batch);
    this.#tell(batch, 1);
  }

  #tell(batch: readonly Settlement[], tries: number): void {
    let heard: void | Promise<void>;
    try {
      heard = this.#receiver.settle(batch);
    } catch (thrown) {
      // A transport that throws, against its promise, must not end the process: that is a rejection as any other.
      return this.#failed(batch, tries, thrown);
    }
    if (!isPromise(heard)) return this.#heard(batch);
    heard.then(() => this.#heard(batch), (thrown) => this.#failed(batch, tries, thrown));
  }

  /**
   * A copy failed: what of the batch has been settled is settled again, which does nothing. After some tries the
   * deliveries go back to the broker, which delivers them again.
   */
  #failed(batch: readonly Settlement[], tries: number, thrown: unknown): void {
    if (batch.some(isCopied)) this.#trouble = { error: toError(thrown), at: this.#clock.now() };
    if (tries > mostTries || this.#closed) return this.#done(batch.length);
    const again = tries < mostTries
      ? batch
      : batch.map(({ delivery }): Settlement => ({ delivery, outcome: "release" }));
    const cancel = this.#clock.at(this.#clock.now() + firstWaitInMs * 2 ** (tries - 1), () => {
      this.#later.delete(cancel);
      this.#tell(again, tries + 1);
    });
    this.#later.add(cancel);
  }

  /** Tries nothing again: the transport closes, and what is not settled goes back with that. */
  close(): void {
    this.#closed = true;
    for (const cancel of this.#later) cancel();
    this.#later.clear();
    this.#idle?.resolve();
    this.#idle = undefined;
  }

  #heard(batch: readonly Settlement[]): void {
    if (this.#trouble !== undefined && batch.some(isCopied)) this.#trouble = undefined;
    this.#done(batch.length);
  }

  #done(count: number): void {
    this.#unsettled -= count;
    if (this.#unsettled > 0) return;
    this.#idle?.resolve();
    this.#idle = undefined;
  }

  /** Resolves when the broker has heard of all. */
  drained(): Promise<void> {
    if (this.#unsettled === 0) return Promise.resolve();
    this.#idle ??= Promise.withResolvers<void>();
    return this.#idle.promise;
  }

  #show(batch: readonly Settlement[]): void {
    const counts = { accept: 0, release: 0, again: 0, move: 0 };
    for (const { outcome } of batch) counts[outcome]++;
    for (const outcome of ["accept", "release", "again", "move"] as const) {
      if (counts[outcome] > 0) this.#seen?.(outcome, counts[outcome]);
    }
  }
}

/** Whether a copy of it is to be made first. */
function isCopied({ outcome }: Settlement): boolean {
  return outcome === "move" || outcome === "again";
}
