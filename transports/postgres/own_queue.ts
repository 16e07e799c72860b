/** A queue that lives as long as its receiver. @module */
import { lifeOf, OwnQueue, type QueueOwner } from "../../src/leasing/own_queue.ts";
import type { Services } from "./services.ts";
import type { Queue, TemporaryQueue } from "./topology.ts";
import { sessionOf, transact } from "./transacting.ts";

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

/** How it is renewed and taken away. */
export class PostgresOwnQueue extends OwnQueue<Queue> {
  readonly #services: Services;
  readonly #topics: readonly string[];

  /** @param topics to which it is bound */
  constructor(services: Services, queue: Queue, topics: readonly string[], owner: QueueOwner<Queue>) {
    const { database: { clock, end }, leaseMs } = services;
    super({ clock, end, leaseMs, failed: (error) => services.failed(error) }, queue, owner);
    this.#services = services;
    this.#topics = topics;
  }

  protected override async renew(queue: Queue): Promise<Queue> {
    const services = this.#services;
    const there = await services.entities.renew(sessionOf(services.database), queue, lifeOf(services));
    return there || this.stopped ? queue : await addOwnQueue(services, { ...queue, topics: this.#topics });
  }

  protected override takeAway(queue: Queue): Promise<void> {
    return removeQueue(this.#services, queue);
  }
}
