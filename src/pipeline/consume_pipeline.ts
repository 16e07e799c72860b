/** How a message is consumed: read, handled, tried again, given up. @module */
import { toError } from "../errors/receiving.ts";
import type { Address } from "../spi/transport.ts";
import { isPromise } from "../values/awaitable.ts";
import { audit } from "./audit.ts";
import type { Consumption } from "./consumption.ts";
import { giveUp } from "./faults.ts";
import { type Decide, recover } from "./recovery.ts";
import { compose, type Run, type Stage } from "./stage.ts";

/** What the consume pipeline of an endpoint is made of. */
export interface ConsumePipelineOptions {
  /** Once for each delivery, before the handlers: what fails here is not tried again. */
  readonly before: readonly Stage[];
  /** Around each attempt. */
  readonly around: readonly Stage[];
  /** Runs the handlers. */
  readonly handle: Run;
  readonly decide: Decide;
  readonly publishFaults: boolean;
  /** Where copies of what has been handled go. */
  readonly auditTo: Address | undefined;
}

/**
 * Consumes the messages of one endpoint. One flat chain of promises for each message, and none where all is
 * synchronous: stages only add to it where they have to wait.
 */
export class ConsumePipeline {
  readonly #options: ConsumePipelineOptions;
  readonly #attempt: Run;
  readonly #run: Run;

  constructor(options: ConsumePipelineOptions) {
    this.#options = options;
    this.#attempt = compose(options.around, options.handle);
    this.#run = compose(options.before, this.#attempt);
  }

  /**
   * Consumes a message. Never throws.
   *
   * @param done called once, when all is over; what becomes of the message stands in `consumption.outcome` then
   */
  consume(consumption: Consumption, done: (consumption: Consumption) => void): void {
    consumption.services.statistics.received++;
    let result: void | Promise<void>;
    try {
      result = this.#run(consumption);
    } catch (thrown) {
      return this.#failed(consumption, thrown, done);
    }
    if (!isPromise(result)) return this.#end(consumption, done);
    result.then(() => this.#end(consumption, done), (thrown) => this.#failed(consumption, thrown, done));
  }

  #failed(consumption: Consumption, thrown: unknown, done: (consumption: Consumption) => void): void {
    this.#settle(consumption, toError(thrown)).then(() => this.#end(consumption, done));
  }

  async #settle(consumption: Consumption, first: Error): Promise<void> {
    // What was never handed to a handler cannot be mended by handing it there again.
    const error = consumption.handled ? await recover(consumption, first, this.#attempt, this.#options.decide) : first;
    if (error !== undefined) await giveUp(consumption, error, this.#options.publishFaults);
  }

  #end(consumption: Consumption, done: (consumption: Consumption) => void): void {
    const { auditTo, publishFaults } = this.#options;
    if (auditTo === undefined || !succeeded(consumption)) {
      over(consumption);
      return done(consumption);
    }
    audit(consumption, auditTo)
      .catch((thrown) => giveUp(consumption, toError(thrown), publishFaults))
      .then(() => {
        over(consumption);
        done(consumption);
      });
  }
}

function succeeded({ error, unhandled, lost }: Consumption): boolean {
  return error === undefined && unhandled === undefined && !lost;
}

/** Counts and tells what became of it. */
function over(consumption: Consumption): void {
  const { services: { statistics, observers }, span, unhandled, error, lost } = consumption;
  span?.end(error);
  const why = lost ? "lost" : unhandled;
  if (why !== undefined && why in statistics) statistics[why as "skipped" | "expired" | "deferred" | "lost"]++;
  if (succeeded(consumption)) statistics.consumed++;
  if (!observers.any) return;
  const observed = consumption.observed();
  if (why !== undefined) observers.tell((observer) => observer.unhandled?.(observed, why));
  else if (error === undefined) observers.tell((observer) => observer.consumed?.(observed));
}
