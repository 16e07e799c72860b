/** What would else be left for ever. @module */
import { News } from "./news.ts";
import { removeQueue } from "./own_queue.ts";
import type { Services } from "./services.ts";
import { sessionOf } from "./transacting.ts";

/** How often, in milliseconds. */
const everyMs = 15_000;

/** Takes away, now and then, what has expired unseen, and the queues of receivers that died. */
export class Sweeping {
  readonly #services: Services;
  #disarm: (() => void) | undefined;
  #sweeping: Promise<void> | undefined;
  #closed = false;
  /** What it has said itself, it takes back itself: that nothing is to be swept proves nothing of all else. */
  #failed = false;

  constructor(services: Services) {
    this.#services = services;
  }

  start(): void {
    const { clock } = this.#services.database;
    this.#disarm = (clock.background ?? clock).at(clock.now() + everyMs, () => {
      this.#sweeping = this.#sweep().then(() => {
        if (this.#failed) this.#services.worked();
        this.#failed = false;
      }, (error) => {
        if (this.#closed) return;
        this.#failed = true;
        this.#services.failed(error);
      }).finally(() => {
        if (!this.#closed) this.start();
      });
    });
  }

  /** Resolves when the one under way has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#disarm?.();
    await this.#sweeping;
  }

  async #sweep(): Promise<void> {
    const services = this.#services;
    const { database, entities, messages } = services;
    const news = new News();
    await messages.expire(database, news);
    services.announce(news);
    for (const queue of await entities.abandoned(sessionOf(database), 10)) {
      if (this.#closed) return;
      await removeQueue(services, queue);
    }
    for (const queue of await messages.orphans(database)) {
      if (this.#closed) return;
      await messages.clear(database, queue);
    }
  }
}
