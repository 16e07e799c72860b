/** Knows how much waits in a store, and how fast it leaves. @module */
import type { Clock } from "../spi/clock.ts";
import type { OutboxRow } from "../spi/rows.ts";
import type { Due, Parked } from "../spi/store.ts";
import type { Backlog, BacklogActivity, Telemetry } from "../spi/telemetry.ts";
import type { DeadlineClock } from "../values/deadlines.ts";
import { elapsing } from "../values/elapsing.ts";

const everyMs = 10_000;
/** Counting many rows takes a store long: of its time, it is to take no more than a small part. */
const restPerMs = 20;
/** Over a shorter time than this, a rate says nothing. */
const leastMs = 1000;

type BacklogStats = Awaited<ReturnType<Due<OutboxRow>["stats"]>>;

/** What a watch needs. */
export interface BacklogWatchOptions {
  readonly bus: string;
  readonly of: BacklogActivity["of"];
  readonly due: Pick<Due<OutboxRow>, "stats" | "parked">;
  readonly clock: Clock;
  readonly telemetry: Telemetry | undefined;
}

/** What waits in a store to be sent, and what this process has sent of it. */
export class BacklogWatch {
  readonly #with: BacklogWatchOptions;
  readonly #time: DeadlineClock;
  #stats: BacklogStats = { waiting: 0, parked: 0, oldest: undefined };
  #parked: Parked<OutboxRow> | undefined;
  /** Not before then, unless something has changed that an operator is to know. */
  #nextAt = -Infinity;
  #endWait: (() => void) | undefined;
  #stopped = false;
  #sent = 0;
  #dropped = 0;
  #rate: { readonly since: number; readonly sent: number; readonly perSecond: number };

  constructor(options: BacklogWatchOptions) {
    this.#with = options;
    this.#time = elapsing(options.clock);
    this.#rate = { since: this.#time.now(), sent: 0, perSecond: 0 };
  }

  /** As of a moment ago. */
  get backlog(): Backlog {
    const { waiting, parked, oldest } = this.#stats;
    return {
      waiting,
      parked,
      oldestInMs: oldest === undefined ? 0 : Math.max(0, this.#with.clock.now() - oldest),
      sent: this.#sent,
      sentPerSecond: this.#rate.perSecond,
      dropped: this.#dropped,
      ...(this.#parked === undefined
        ? {}
        : { firstParked: { messageId: this.#parked.row.id, error: this.#parked.error } }),
    };
  }

  /** The broker has taken one. */
  sent(): void {
    this.#sent++;
  }
  /** One has not been sent, and will not be: it would have been too late. */
  dropped(): void {
    this.#dropped++;
  }

  /** Asks the store, but not all the time. Does not throw. */
  look(): void {
    const { bus, due } = this.#with;
    const began = this.#time.now();
    if (began < this.#nextAt) return this.#lookLater();
    this.#nextAt = began + everyMs;
    const first = async (stats: BacklogStats) =>
      [stats, stats.parked === 0 ? [] : await due.parked(bus, undefined, 1)] as const;
    due.stats(bus).then(first).then(([stats, [parked]]) => {
      this.#stats = stats;
      this.#parked = parked;
      const now = this.#time.now();
      this.#nextAt = Math.max(this.#nextAt, now + (now - began) * restPerMs);
      this.#measure(now);
      this.#tell();
    }, () => {
      // The loop tells of a store that does not answer.
    });
  }

  /** What waited is not to be told of for long when it is gone: nobody may look for a while then. */
  #lookLater(): void {
    if (this.#stats.waiting === 0 || this.#endWait !== undefined || this.#stopped) return;
    this.#endWait = this.#time.at(this.#nextAt, () => {
      this.#endWait = undefined;
      this.look();
    });
  }

  /** Looks no more by itself. */
  stop(): void {
    this.#stopped = true;
    this.#endWait?.();
    this.#endWait = undefined;
  }

  /** Asks it the next time, however short ago it was asked. */
  forget(): void {
    this.#nextAt = -Infinity;
  }

  #measure(now: number): void {
    const { since, sent } = this.#rate;
    const elapsed = now - since;
    if (elapsed < leastMs) return;
    this.#rate = { since: now, sent: this.#sent, perSecond: (this.#sent - sent) * 1000 / elapsed };
  }

  #tell(): void {
    const { bus, of, telemetry } = this.#with;
    telemetry?.backlog?.({ bus, of, ...this.backlog });
  }
}
