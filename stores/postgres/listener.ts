/** Hears what other processes have written. @module */
import type { Clock } from "../../src/spi/clock.ts";
import type { SqlClient } from "./sql_client.ts";

/** How often is asked whether notices still come, and how long for the answer. */
const checkEveryMs = 10_000;
const answerInMs = 5_000;
const retryInMs = 1_000;

/** What a listener needs. */
export interface ListenerOptions {
  readonly listen: NonNullable<SqlClient<unknown>["listen"]>;
  readonly channel: string;
  readonly clock: Clock;
  /** Has the database say something on the channel. */
  readonly say: (text: string) => Promise<unknown>;
  /** Told of each notice; of `""` where some may have been missed. */
  readonly heard: (text: string) => void;
  /** Aborts at the end. */
  readonly end: AbortSignal;
}

/**
 * Listens, and finds out whether it hears: a connection may be dead, or end at a pooler that gives no notices. It says
 * something now and then, and what does not hear it is replaced.
 */
export class Listener {
  readonly #with: ListenerOptions;
  #running: Promise<void> | undefined;
  #echo: string | undefined;
  #heard: () => void = () => {};
  #replaced = 0;

  constructor(options: ListenerOptions) {
    this.#with = options;
  }

  /** How often the connection was replaced. */
  get replaced(): number {
    return this.#replaced;
  }

  /** Begins. Twice is once. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Resolves when it has ended, after `end` has aborted. */
  async ended(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    const { listen, channel, end } = this.#with;
    for (; !end.aborted; await this.#pause(retryInMs)) {
      try {
        const stop = await listen(channel, (text) => this.#hear(text));
        this.#hear(""); // nobody has listened until now
        while (!end.aborted && await this.#answers()) await this.#pause(checkEveryMs);
        if (!end.aborted) this.#replaced++;
        await stop().catch(() => {});
      } catch {
        // The database is away: others say so. It is tried again.
      }
    }
  }

  #hear(text: string): void {
    if (text === this.#echo) this.#heard();
    else if (!text.startsWith("?")) this.#with.heard(text);
  }

  async #answers(): Promise<boolean> {
    this.#echo = `?${crypto.randomUUID()}`;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#heard = () => resolve(true);
    const { clock, say, end } = this.#with;
    const cancel = (clock.background ?? clock).at(clock.now() + answerInMs, () => resolve(false));
    const abort = (): void => resolve(false);
    end.addEventListener("abort", abort, { once: true });
    say(this.#echo).catch(() => resolve(false));
    const answered = await promise;
    cancel();
    end.removeEventListener("abort", abort);
    return answered;
  }

  async #pause(ms: number): Promise<void> {
    const { clock, end } = this.#with;
    if (end.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = (clock.background ?? clock).at(clock.now() + ms, resolve);
    const abort = (): void => resolve();
    end.addEventListener("abort", abort, { once: true });
    await promise;
    cancel();
    end.removeEventListener("abort", abort);
  }
}
