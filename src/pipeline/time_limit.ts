/** How long an attempt may take. @module */
import { HandlerTimeoutError } from "../errors/receiving.ts";
import type { Clock } from "../spi/clock.ts";
import { Deadlines } from "../values/deadlines.ts";
import { elapsing } from "../values/elapsing.ts";
import type { Consumption } from "./consumption.ts";

interface Attempt {
  readonly consumptions: readonly Consumption[];
  readonly reject: (error: Error) => void;
}

/** How long an attempt may take: of one message, or of a batch. */
export class TimeLimit {
  readonly #inMs: number;
  readonly #deadlines: Deadlines<Attempt>;

  constructor(inMs: number, clock: Clock, endpoint: string) {
    this.#inMs = inMs;
    this.#deadlines = new Deadlines<Attempt>(elapsing(clock, clock.timeouts), ({ consumptions, reject }) => {
      const error = new HandlerTimeoutError(endpoint, inMs);
      // Before the signal: a handler that ends because of it has failed all the same.
      reject(error);
      for (const consumption of consumptions) consumption.abort(error);
    });
  }

  /**
   * Rejects if `running` has not ended in time, and aborts the signals of its messages. What the handlers still do is
   * ignored, also what they throw.
   */
  hold<T>(running: PromiseLike<T>, consumptions: readonly Consumption[]): Promise<T> {
    const { promise, reject } = Promise.withResolvers<never>();
    const deadline = this.#deadlines.after(this.#inMs, { consumptions, reject });
    return Promise.race([running, promise]).finally(() => this.#deadlines.remove(deadline));
  }
}
