/** A queue that lives as long as its receiver. @module */
import { lifeOf, OwnQueue, type QueueOwner } from "../../src/leasing/own_queue.ts";
import type { Connection } from "../../stores/sqlite/connection.ts";
import type { Services } from "./services.ts";
import type { Queue } from "./topology.ts";

/** How it is renewed and taken away. */
export class SqliteOwnQueue extends OwnQueue<Queue> {
  readonly #services: Services;
  readonly #topics: readonly string[];

  /** @param topics to which it is bound */
  constructor(services: Services, queue: Queue, topics: readonly string[], owner: QueueOwner<Queue>) {
    const { session: { clock, end }, leaseMs } = services;
    super({ clock, end, leaseMs, failed: (error) => services.failed(error) }, queue, owner);
    this.#services = services;
    this.#topics = topics;
  }

  protected override async renew(queue: Queue): Promise<Queue> {
    const { session: { writer, clock }, entities } = this.#services;
    const kept = await writer.write((connection) => {
      const until = Math.ceil(clock.now() + lifeOf(this.#services));
      if (entities.renew(connection, queue, until)) return queue;
      return entities.addTemporary(connection, { ...queue, topics: this.#topics }, until);
    });
    this.#services.worked();
    return kept;
  }

  /** What is left is done by who sweeps. */
  protected override async takeAway(queue: Queue): Promise<void> {
    const { session: { writer, clock }, entities, messages } = this.#services;
    const clear = (connection: Connection): boolean => messages.clear(connection, queue.id, clock.now());
    let all = await writer.write((connection) => {
      entities.remove(connection, queue);
      return clear(connection);
    });
    while (!all) all = await writer.write(clear);
  }
}
