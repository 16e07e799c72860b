/** How a message is consumed: read, handled, tried again, given up. @module */
import { toError } from "../errors/thrown.ts";
import type { Address } from "../spi/transport.ts";
import { isPromise } from "../values/awaitable.ts";
import { audit } from "./audit.ts";
import type { Consumption } from "./consumption.ts";
import { giveUp, type TellMore } from "./faults.ts";
import type { Unhandled } from "./observers.ts";
import { type Decide, recover } from "./recovery.ts";
import { compose, type Run, type Stage } from "./stage.ts";
import { checkDeliveries } from "./stages/delivery_limit.ts";
import { expired } from "./stages/expiry.ts";
import { open, read } from "./stages/reading.ts";
import { beginSpan } from "./stages/telemetry.ts";
import type { EndpointStatistics } from "./statistics.ts";

/** What the consume pipeline of an endpoint is made of. */
export interface ConsumePipelineOptions {
  /** Whether expired messages go to the error queue. */
  readonly keepExpired: boolean;
  /** Around each attempt. */
  readonly around: readonly Stage[];
  /** Runs the handlers. */
  readonly handle: Run;
  readonly decide: Decide;
  readonly publishFaults: boolean;
  /** Tells of what is given up whom faults do not tell. */
  readonly tellMore: TellMore | undefined;
  /** Where copies of what has been handled go. */
  readonly auditTo: Address | undefined;
}

/** Told when a message is over; what becomes of it stands in `consumption.outcome` then. */
export interface ConsumptionOwner {
  finished(consumption: Consumption): void;
}

/** What a message passes before its handlers, as `bus.describe()` lists it; what fails there is not tried again. */
export const stepsBefore: readonly string[] = ["envelope", "telemetry", "delivery limit", "decode", "observers", "ttl"];

/**
 * Consumes the messages of one endpoint. One flat chain of promises for each message, and none where all is
 * synchronous. The steps that every message takes are plain calls: a closure an endpoint and step would be another call
 * target for each, and cost more the more endpoints there are.
 */
export class ConsumePipeline {
  readonly #options: ConsumePipelineOptions;
  readonly #attempt: Run;

  constructor(options: ConsumePipelineOptions) {
    this.#options = options;
    this.#attempt = compose(options.around, options.handle);
  }

  /** Consumes a message, and tells its owner once when it is over. Never throws. */
  consume(consumption: Consumption, owner: ConsumptionOwner): void {
    consumption.services.statistics.received++;
    let result: void | Promise<void>;
    try {
      open(consumption);
      if (consumption.services.telemetry !== undefined) beginSpan(consumption);
      checkDeliveries(consumption);
      const reading = read(consumption);
      result = isPromise(reading) ? reading.then(() => this.#handle(consumption)) : this.#handle(consumption);
    } catch (thrown) {
      return this.#failed(consumption, thrown, owner);
    }
    if (!isPromise(result)) return this.#end(consumption, owner);
    result.then(() => this.#end(consumption, owner), (thrown) => this.#failed(consumption, thrown, owner));
  }

  #handle(consumption: Consumption): void | Promise<void> {
    if (consumption.unhandled !== undefined) return;
    const { observers } = consumption.services;
    if (observers.any) {
      const observed = consumption.observed();
      observers.tell((observer) => observer.received?.(observed));
    }
    if (expired(consumption, this.#options.keepExpired)) return;
    return this.#attempt(consumption);
  }

  #failed(consumption: Consumption, thrown: unknown, owner: ConsumptionOwner): void {
    this.#settle(consumption, toError(thrown)).then(() => this.#end(consumption, owner));
  }

  async #settle(consumption: Consumption, first: Error): Promise<void> {
    // What was never handed to a handler cannot be mended by handing it there again.
    const error = consumption.handled ? await recover(consumption, first, this.#attempt, this.#options.decide) : first;
    if (error !== undefined) await this.#giveUp(consumption, error);
  }

  #giveUp(consumption: Consumption, error: Error): Promise<void> {
    const { publishFaults, tellMore } = this.#options;
    return giveUp(consumption, error, publishFaults, tellMore);
  }

  #end(consumption: Consumption, owner: ConsumptionOwner): void {
    const { auditTo } = this.#options;
    if (auditTo === undefined || !succeeded(consumption)) {
      over(consumption);
      return owner.finished(consumption);
    }
    audit(consumption, auditTo)
      .catch((thrown) => this.#giveUp(consumption, toError(thrown)))
      .then(() => {
        over(consumption);
        owner.finished(consumption);
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
  if (why !== undefined && why in statistics) {
    statistics[why as keyof EndpointStatistics & Unhandled]++;
  }
  if (succeeded(consumption)) statistics.consumed++;
  if (!observers.any) return;
  const observed = consumption.observed();
  if (why !== undefined) observers.tell((observer) => observer.unhandled?.(observed, why));
  else if (error === undefined) observers.tell((observer) => observer.consumed?.(observed));
}
