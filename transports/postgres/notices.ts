/** What processes tell each other of queues. @module */
import type { Session } from "../../stores/postgres/due.ts";
import type { Wake } from "../../stores/postgres/wakes.ts";
import type { News } from "./news.ts";

/** By which notices of queues are known among those of the store's tables. */
const table = "queue";
/** Of one queue, others are told no more often, in milliseconds: what is said is only that there is something. */
const everyMs = 5;

/**
 * Tells receivers of this process at once what a commit has brought, and others by NOTIFY: a hint, in a flight of its own,
 * so that no commit of messages waits for the lock that notices are queued under. What is not heard is found by looking.
 */
export class Notices {
  readonly #session: Session;
  readonly #channel: string;
  readonly #hear: (queue: number | undefined, at: number) => void;
  /** Whose notices are one's own: this process has been told already. */
  readonly #origin: string = crypto.randomUUID().slice(0, 8);
  readonly #unsaid = new Set<number>();
  #saying = false;
  #disarm: (() => void) | undefined;
  readonly #wake: Wake;

  /**
   * @param channel on which the store listens, if it does; others may, though it does not
   * @param hear told of a queue, or of all, that has something to take at a time
   */
  constructor(session: Session, channel: string, hear: (queue: number | undefined, at: number) => void) {
    this.#session = session;
    this.#channel = channel;
    this.#hear = hear;
    this.#wake = (of, queue, at) => {
      if (of === "") return this.#hear(undefined, at);
      if (of !== table) return;
      const [id, origin] = queue.split(" ");
      if (origin !== this.#origin) this.#hear(id === "" ? undefined : Number(id), at);
    };
    session.wakes.add(this.#wake);
  }

  /** Tells all. */
  announce(news: News): void {
    for (const [queue, at] of news.times) {
      this.#session.wakes.tell(table, String(queue), at);
      this.#unsaid.add(queue);
    }
    if (this.#unsaid.size > 0 && !this.#saying) void this.#say();
  }

  close(): void {
    this.#session.wakes.delete(this.#wake);
    this.#disarm?.();
    this.#saying = true;
  }

  async #say(): Promise<void> {
    this.#saying = true;
    const { database } = this.#session;
    const { clock } = database;
    const queues = [...this.#unsaid];
    this.#unsaid.clear();
    try {
      // More than a few: all look.
      const told = queues.length > 4 ? [""] : queues.map(String);
      await Promise.all(told.map((queue) => {
        const values = [this.#channel, JSON.stringify([table, `${queue} ${this.#origin}`])];
        return database.query({ text: "SELECT pg_notify($1::text, $2::text)", values });
      }));
    } catch {
      // The database is away: others say so, and look for themselves.
    }
    this.#disarm = (clock.background ?? clock).at(clock.now() + everyMs, () => {
      this.#saying = false;
      if (this.#unsaid.size > 0) void this.#say();
    });
  }
}
