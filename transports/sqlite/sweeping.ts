/** What would else be left for ever. @module */
import { News } from "./news.ts";
import type { Services } from "./services.ts";

/** How often, in milliseconds. */
const everyMs = 15_000;

/** Takes away, now and then, what has expired unseen, and the queues of receivers that died with what is left of them. */
export class Sweeping {
  readonly #services: Services;
  #next = 0;
  #sweeping = false;
  /** What it has said itself, it takes back itself: that nothing is to be swept proves nothing of all else. */
  #failed = false;

  constructor(services: Services) {
    this.#services = services;
  }

  /** Looks, if it is time to. */
  tick(): void {
    const now = this.#services.session.clock.now();
    if (now < this.#next || this.#sweeping) return;
    this.#next = now + everyMs;
    this.#sweeping = true;
    this.#sweep().then(() => {
      if (this.#failed) this.#services.worked();
      this.#failed = false;
    }, (error) => {
      this.#failed = true;
      this.#services.failed(error);
    }).finally(() => this.#sweeping = false);
  }

  async #sweep(): Promise<void> {
    const { session, entities, messages, announce } = this.#services;
    for (;;) {
      const now = session.clock.now();
      // Looking first, as writing nothing would take the writer as well.
      const any = await session.read((reader) =>
        messages.anyExpired(reader, now) || entities.abandoned(reader, now, 1).length > 0 ||
        messages.orphans(reader, now, 1).length > 0
      );
      if (!any) return;
      const news = await session.writer.write((connection) => {
        const news = new News();
        messages.expire(connection, now, news);
        for (const queue of entities.abandoned(connection, now, 10)) entities.remove(connection, queue);
        for (const queue of messages.orphans(connection, now, 10)) messages.clear(connection, queue, now);
        return news;
      });
      announce(news);
    }
  }
}
