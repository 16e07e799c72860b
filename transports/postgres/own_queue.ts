/** A queue that lives as long as its receiver. @module */
import type { Services } from "./services.ts";
import type { Queue, TemporaryQueue } from "./topology.ts";
import { sessionOf, transact } from "./transacting.ts";

/** Whose queue it is. */
export interface QueueOwner {
  /** It was taken away, as this process stood still for too long, and is made anew: with another name, it may be. */
  renewed(queue: Queue): void;
}

/** How long such a queue lives that is not renewed, in milliseconds: three leases, a minute at least. */
export function lifeOf({ leaseMs }: Pick<Services, "leaseMs">): number {
  return Math.max(3 * leaseMs, 60_000);
}

/** Makes one. */
export function addOwnQueue(services: Services, entity: TemporaryQueue): Promise<Queue> {
  const { database, entities } = services;
  return transact(database, async (session) => {
    await entities.lock(session);
    return await entities.addTemporary(session, entity, lifeOf(services));
  });
}

/** Takes a queue away, with all that waits in it. */
export async function removeQueue({ database, entities, messages }: Services, queue: Queue): Promise<void> {
  await transact(database, async (session) => {
    await entities.lock(session);
    await entities.remove(session, queue);
  });
  // What is on its way there from who had seen the queue, or is still held, is found by sweeping.
  await messages.clear(database, queue.id);
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
    const { database: { clock }, leaseMs } = this.#services;
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
    try {
      await removeQueue(this.#services, this.#queue);
    } catch (error) {
      if (!this.#services.database.end.aborted) this.#services.failed(error);
    }
  }

  async #renew(): Promise<void> {
    const services = this.#services;
    if (await services.entities.renew(sessionOf(services.database), this.#queue, lifeOf(services)) || this.#stopped) {
      return;
    }
    const queue = await addOwnQueue(services, { ...this.#queue, topics: this.#topics });
    if (this.#stopped) return await removeQueue(services, queue);
    this.#queue = queue;
    this.#owner.renewed(queue);
  }
}
