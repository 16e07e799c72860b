/** Looks for rows that are due. @module */
import { toError } from "../errors/thrown.ts";
import { macrotask } from "../runtime/macrotask.ts";
import type { Clock } from "../spi/clock.ts";
import type { Due, Leased } from "../spi/store.ts";
import { exponentialBackoff } from "../values/backoff.ts";
import type { Random } from "../values/random.ts";

/** What a loop needs. */
export interface DueLoopOptions<in out Row> {
  readonly bus: string;
  readonly due: Due<Row>;
  readonly clock: Clock;
  readonly random: Random;
  /** How many rows are claimed at once. */
  readonly limit: number;
  readonly leaseMs: number;
  /** How often is looked, though nobody says that there is anything. `Infinity`: never. */
  readonly pollInMs: number;
  /**
   * Takes what was claimed; resolves when more may come.
   *
   * @param until when the lease ends, by this process' clock, at the earliest
   */
  readonly take: (rows: readonly Leased<Row>[], until: number) => Promise<void>;
  /** Of as many as there may be: whether the next may be claimed while these are taken. Must not throw. */
  readonly ahead: (rows: readonly Leased<Row>[]) => boolean;
  /** Called before each wait. Must not throw. */
  readonly idle: () => void;
}

/** What a claim gives: rows, and until when they are leased, by this process' clock, at the earliest. */
interface Claim<out Row> {
  readonly rows: readonly Leased<Row>[];
  readonly until: number;
}

/**
 * Claims rows as they become due, one batch after the other; of a backlog, the next while one is taken. Between batches
 * it waits until the store says that there are more, until it is woken, or until it is time to look again: what the store
 * says is a hint.
 */
export class DueLoop<in out Row> {
  readonly #with: DueLoopOptions<Row>;
  readonly #backoff: (retry: number) => number;
  #stopped = false;
  #running: Promise<void> | undefined;
  #woken = false;
  #wake: () => void = () => {};
  #error: Error | undefined;

  constructor(options: DueLoopOptions<Row>) {
    this.#with = options;
    this.#backoff = exponentialBackoff({ min: 50, max: "10s" }, options.random);
  }

  /** Why the store could not be asked last time; `undefined`: it could. */
  get error(): Error | undefined {
    return this.#error;
  }

  /** Begins to look. Twice is once. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Looks at once. */
  wake(): void {
    this.#woken = true;
    this.#wake();
  }

  /** Looks no more; resolves when what it has claimed last has been taken. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { limit, take, ahead } = this.#with;
    // How often in a row the store said that there was something, and there was not.
    let vain = 0;
    let next: Promise<Claim<Row>> | undefined;
    // What has been claimed is taken.
    while (!this.#stopped || next !== undefined) {
      this.#woken = false;
      const claiming = next ?? this.#claim();
      next = undefined;
      try {
        const { rows, until } = await claiming;
        this.#error = undefined;
        if (rows.length > 0) {
          vain = 0;
          if (rows.length >= limit) {
            if (!this.#stopped && ahead(rows)) {
              next = this.#claim();
              next.catch(() => {}); // it is awaited later
              // So that it leaves: a client may write it at the end of this turn.
              await turn();
            }
            // There is a backlog, and store and transport may never wait for anything: nothing else would get its turn.
            await turn();
          }
          await take(rows, until);
          continue;
        }
      } catch (thrown) {
        this.#error = toError(thrown);
      }
      if (this.#stopped) return;
      this.#with.idle();
      vain = await this.#wait(vain) ? vain + 1 : 0;
    }
  }

  async #claim(): Promise<Claim<Row>> {
    const { bus, due, clock, limit, leaseMs } = this.#with;
    const until = clock.now() + leaseMs;
    return { rows: await due.claim(bus, limit, leaseMs), until };
  }

  /**
   * @param vain a store that says there is something, and then gives nothing, is asked less and less often
   * @returns whether it says that there is something, or could not be asked
   */
  #wait(vain: number): Promise<boolean> {
    const { bus, due, clock, pollInMs } = this.#with;
    if (this.#woken || this.#stopped) return Promise.resolve(false);
    let said = this.#error !== undefined;
    const { promise, resolve } = Promise.withResolvers<void>();
    const controller = new AbortController();
    const cancels: (() => void)[] = [];
    const at = (time: number): void => void cancels.push(clock.at(time, resolve));
    const soon = (): void => {
      said = true;
      if (vain === 0 && this.#error === undefined) resolve();
      else at(clock.now() + this.#backoff(vain));
    };
    this.#wake = resolve;
    if (pollInMs !== Infinity) at(clock.now() + pollInMs);
    if (this.#error !== undefined) soon();
    else {
      due.next(bus, controller.signal).then(
        (time) => time <= clock.now() ? soon() : at(time),
        // Another failure of the store: the next look tells.
        () => controller.signal.aborted || soon(),
      );
    }
    return promise.then(() => {
      this.#wake = () => {};
      controller.abort();
      for (const cancel of cancels) cancel();
      return said;
    });
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => void macrotask(resolve));
}
