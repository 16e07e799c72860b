/** A queue that lives as long as its receiver. @module */
import type { Connection } from "../../stores/sqlite/connection.ts";
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

  /** Takes it away. What fails, or is left, is done by who sweeps. */
  async remove(): Promise<void> {
    const { session: { writer, clock, end }, entities, messages } = this.#services;
    const clear = (connection: Connection): boolean => messages.clear(connection, this.#queue.id, clock.now());
    try {
      let all = await writer.write((connection) => {
        entities.remove(connection, this.#queue);
        return clear(connection);
      });
      while (!all) all = await writer.write(clear);
    } catch (error) {
      if (!end.aborted) this.#services.failed(error);
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
