/** How a store is told what became of rows. @module */
import { ClosedError } from "../errors/transport.ts";
import type { Clock } from "../spi/clock.ts";
import type { OutboxRow } from "../spi/rows.ts";
import type { Due, Leased, Postponed } from "../spi/store.ts";

const mostTries = 5;

/** What reports are made with. */
export interface ReportsOptions<in out Row extends OutboxRow> {
  readonly due: Due<Row>;
  readonly clock: Clock;
  /** The store has been told, also while there is more to tell. */
  readonly told: (failed: readonly Postponed<Row>[]) => void;
  /** There is no more to tell. */
  readonly rest: () => void;
}

/** Tells the store what became of rows: in one call what comes while it is told of others. */
export class Reports<in out Row extends OutboxRow> {
  readonly #with: ReportsOptions<Row>;
  #sent: Leased<Row>[] = [];
  #failed: Postponed<Row>[] = [];
  #running = false;

  constructor(options: ReportsOptions<Row>) {
    this.#with = options;
  }

  /** How many the store does not know of, or is being told of. */
  get size(): number {
    return this.#sent.length + this.#failed.length + (this.#running ? 1 : 0);
  }

  /** The broker has it. */
  sent(leased: Leased<Row>): void {
    this.#sent.push(leased);
    if (!this.#running) void this.#run();
  }
  /** It is tried again, or parked. */
  failed(postponed: Postponed<Row>): void {
    this.#failed.push(postponed);
    if (!this.#running) void this.#run();
  }

  async #run(): Promise<void> {
    const { due, told, rest } = this.#with;
    this.#running = true;
    await undefined;
    while (this.#sent.length > 0 || this.#failed.length > 0) {
      const [sent, failed] = [this.#sent, this.#failed];
      this.#sent = [];
      this.#failed = [];
      if (sent.length > 0) await this.#insist(() => due.done(sent));
      if (failed.length > 0) await this.#insist(() => due.later(failed));
      told(failed);
    }
    // In the turn in which there was no more: what comes later begins anew.
    this.#running = false;
    rest();
  }

  /** A store that is away for longer gives the rows to whoever claims them next: they are sent again, with their ids. */
  async #insist(report: () => Promise<void>): Promise<void> {
    const { clock } = this.#with;
    for (let tries = 1;; tries++) {
      try {
        return await report();
      } catch (thrown) {
        if (tries >= mostTries || thrown instanceof ClosedError) return;
        await new Promise<void>((resolve) => clock.at(clock.now() + 100 * 2 ** tries, resolve));
      }
    }
  }
}
