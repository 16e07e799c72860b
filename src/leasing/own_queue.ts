/** A queue that lives as long as its receiver, where it is gone by itself unless it is renewed. @module */
import type { Clock } from "../spi/clock.ts";

/** Whose queue it is. */
export interface QueueOwner<Queue> {
  /** It was taken away, as this process stood still for too long, and is made anew: with another name, it may be. */
  renewed(queue: Queue): void;
}

/** What a transport has for all such queues. */
export interface QueueKeeping {
  readonly clock: Clock;
  /** How long a lease lasts that is not renewed, in milliseconds. */
  readonly leaseMs: number;
  /** Aborts when the database is left: what fails then need not be told. */
  readonly end: AbortSignal;
  /** Something could not be read or written, and is tried again. */
  failed(error: unknown): void;
}

/** How long such a queue lives that is not renewed, in milliseconds: three leases, a minute at least. */
export function lifeOf({ leaseMs }: Pick<QueueKeeping, "leaseMs">): number {
  return Math.max(3 * leaseMs, 60_000);
}

/**
 * Keeps a queue alive, once a lease, until it is taken away with all that waits in it. How that is done is the transport's
 * matter.
 */
export abstract class OwnQueue<Queue> {
  readonly #keeping: QueueKeeping;
  readonly #owner: QueueOwner<Queue>;
  #queue: Queue;
  #disarm: (() => void) | undefined;
  #stopped = false;

  /** @param queue as it was made */
  constructor(keeping: QueueKeeping, queue: Queue, owner: QueueOwner<Queue>) {
    this.#keeping = keeping;
    this.#queue = queue;
    this.#owner = owner;
  }

  /** Whether it is to be renewed no more. */
  protected get stopped(): boolean {
    return this.#stopped;
  }

  /** Begins to renew it. */
  start(): void {
    const { clock, leaseMs } = this.#keeping;
    this.#disarm = (clock.background ?? clock).at(clock.now() + leaseMs, () => {
      this.#renew().catch((error) => this.#stopped || this.#keeping.failed(error)).finally(() => {
        if (!this.#stopped) this.start();
      });
    });
  }

  /** Renews it no more. */
  stop(): void {
    this.#stopped = true;
    this.#disarm?.();
  }

  /** Takes it away. What fails is done by others when its time has passed. */
  async remove(): Promise<void> {
    try {
      await this.takeAway(this.#queue);
    } catch (error) {
      if (!this.#keeping.end.aborted) this.#keeping.failed(error);
    }
  }

  /** Renews it; where it is gone, gives another in its place, with the same bindings. */
  protected abstract renew(queue: Queue): Promise<Queue>;

  /** Takes one away, with all that waits in it. */
  protected abstract takeAway(queue: Queue): Promise<void>;

  async #renew(): Promise<void> {
    const queue = await this.renew(this.#queue);
    if (queue === this.#queue) return;
    if (this.#stopped) return await this.takeAway(queue);
    this.#queue = queue;
    this.#owner.renewed(queue);
  }
}
