/** A queue that lives as long as its receiver. @module */
import type { Services } from "./services.ts";
import type { Queue } from "./topology.ts";

/** Whose queue it is. */
export interface QueueOwner {
  /** It was taken away, as this process stood still for too long, and is made anew: with another name, it may be. */
  renewed(queue: Queue): void;
}

/** How long such a queue lives that is not renewed, in milliseconds: three leases, a minute at least. */
export function lifeOf({ leaseMs }: Pick<Services, "leaseMs">): number {
  return Math.max(3 * leaseMs, 60_000);
}

/** Keeps a queue alive, once a lease, until it is taken away with all that waits in it. */
export class OwnQueue {
  readonly #services: Services;
  readonly #topics: readonly string[];
  readonly #owner: QueueOwner;
  #queue: Queue;
  #disarm: (() => void) | undefined;
  #stopped = false;

  /** @param topics to which it is bound */
  constructor(services: Services, queue: Queue, topics: readonly string[], owner: QueueOwner) {
    this.#services = services;
    this.#queue = queue;
    this.#topics = topics;
    this.#owner = owner;
  }

  start(): void {
    const { session: { clock }, leaseMs } = this.#services;
    this.#disarm = (clock.background ?? clock).at(clock.now() + leaseMs, () => {
      this.#renew().catch((error) => this.#stopped || this.#services.failed(error)).finally(() => {
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
    const { session, entities, messages } = this.#services;
    try {
      await session.writer.write((connection) => {
        entities.remove(connection, this.#queue);
        messages.clear(connection, this.#queue, false);
      });
    } catch (error) {
      if (!session.end.aborted) this.#services.failed(error);
    }
  }

  async #renew(): Promise<void> {
    const { session: { writer, clock }, entities } = this.#services;
    const queue = await writer.write((connection) => {
      const until = Math.ceil(clock.now() + lifeOf(this.#services));
      if (entities.renew(connection, this.#queue, until)) return this.#queue;
      return entities.addTemporary(connection, { ...this.#queue, topics: this.#topics }, until);
    });
    this.#services.worked();
    if (queue.id === this.#queue.id || this.#stopped) return;
    this.#queue = queue;
    this.#owner.renewed(queue);
  }
}
