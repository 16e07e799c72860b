/** Batches of messages. @module */
import { ConfigurationError } from "../errors/configuration.ts";
import { shown } from "../errors/shown.ts";
import { HandlerTimeoutError } from "../errors/receiving.ts";
import { toError } from "../errors/thrown.ts";
import { milliseconds } from "../values/duration.ts";
import { Batch, type BatchItem } from "./batch_context.ts";
import type { Consumption } from "./consumption.ts";
import type { BatchHandler, BatchOptions, ConsumeContext } from "./context.ts";
import { HandlingContext } from "./handling_context.ts";
import type { TimeLimit } from "./time_limit.ts";
import type { OpenUnit } from "./unit.ts";
import { checkOptionNames, type OptionNames } from "../values/option_names.ts";

/** Puts batches into units of work. */
export interface BatchUnits {
  /**
   * Runs `work` in a unit, with those messages that have had no effect yet, and commits it; again, where that met
   * another unit. Those that `work` gives as failed have none then, the others have.
   *
   * @returns what they failed with
   */
  run(
    messages: readonly Consumption[],
    work: (unit: OpenUnit, left: readonly Consumption[]) => Promise<ReadonlyMap<Consumption, Error>>,
  ): Promise<ReadonlyMap<Consumption, Error>>;
}

/** A message that waits for its batch. */
interface Item extends BatchItem {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}
/** The messages of one key that wait for others. */
interface Group {
  items: Item[];
  /** Ends the wait for more. */
  cancel: (() => void) | undefined;
  /** The batch that runs, and those that are full: one after the other, in order. */
  running: Promise<void>;
  batches: number;
}

/** How a batch is collected, checked. */
export interface CheckedBatchOptions {
  readonly size: number;
  readonly withinInMs: number;
  readonly by: ((message: unknown) => string) | undefined;
  readonly alone: boolean;
}

/** What {@linkcode BatchOptions} may name. */
const optionNames: OptionNames<BatchOptions> = {
  size: true,
  within: true,
  by: true,
  alone: true,
};

/** @throws {ConfigurationError} if an option is not what it should be */
export function checkBatchOptions(options: BatchOptions, endpoint: string): CheckedBatchOptions {
  checkOptionNames(options, optionNames, `a batch of "${endpoint}"`);
  const size = options.size ?? 10;
  if (!Number.isSafeInteger(size) || size < 1) {
    throw new ConfigurationError(
      `Cannot collect batches of ${shown(size)} on "${endpoint}": give a whole number from 1`,
    );
  }
  if (options.by !== undefined && typeof options.by !== "function") {
    throw new ConfigurationError(
      `Cannot collect batches by ${shown(options.by)} on "${endpoint}": give a function from the message to a text`,
    );
  }
  return {
    size,
    withinInMs: milliseconds(options.within ?? "1s", `{ within } of a batch of "${endpoint}"`),
    // What is collected are messages of the contract that the options were given with.
    by: options.by as ((message: unknown) => string) | undefined,
    alone: options.alone ?? false,
  };
}

/** Collects messages for one batch handler. */
export class BatchCollector {
  readonly #options: CheckedBatchOptions;
  readonly #handler: BatchHandler<unknown>;
  readonly #limit: TimeLimit | undefined;
  readonly #units: BatchUnits | undefined;
  readonly #groups = new Map<string, Group>();
  #flushing = false;

  /**
   * @param limit how long the handler may take; left out: as long as it does
   * @param units where batches are handled in units of work
   */
  constructor(options: CheckedBatchOptions, handler: BatchHandler<unknown>, limit?: TimeLimit, units?: BatchUnits) {
    this.#options = options;
    this.#handler = handler;
    this.#limit = limit;
    this.#units = units;
  }

  /** Resolves, or rejects, when the batch with this message has been handled. */
  collect(context: ConsumeContext): Promise<void> {
    const consumption = HandlingContext.consumptionOf(context);
    const key = this.#options.by?.(context.message) ?? "";
    let group = this.#groups.get(key);
    if (group === undefined) {
      this.#groups.set(key, group = { items: [], cancel: undefined, running: Promise.resolve(), batches: 0 });
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    group.items.push({ context, consumption, resolve, reject });
    // Those whose claim was lost while they waited fill no batch.
    if (group.items.length >= this.#options.size) group.items = stillHere(group.items);
    if (group.items.length >= this.#options.size || this.#flushing) this.#close(key, group);
    else if (group.cancel === undefined) this.#wait(key, group, consumption);
    return promise;
  }

  #wait(key: string, group: Group, { services: { clock } }: Consumption): void {
    group.cancel = clock.at(clock.now() + this.#options.withinInMs, () => this.#close(key, group));
  }

  /** The batch is full, or has waited long enough. */
  #close(key: string, group: Group): void {
    group.cancel?.();
    group.cancel = undefined;
    const { items } = group;
    if (items.length === 0) return;
    group.items = [];
    group.batches++;
    group.running = group.running.then(() => this.#run(items)).then(() => {
      if (--group.batches === 0 && group.items.length === 0) this.#groups.delete(key);
    });
  }

  /** Batches wait for no more messages: the bus stops. */
  flush(): void {
    this.#flushing = true;
    for (const [key, group] of this.#groups) this.#close(key, group);
  }

  async #run(all: readonly Item[]): Promise<void> {
    const items = distinct(stillHere(all));
    const failed = await this.#attempt(items);
    // What has run out of time may still be at work with all of them.
    const late = failed instanceof HandlerTimeoutError;
    if (failed !== undefined && this.#options.alone && items.length > 1 && !late) {
      for (const item of items) {
        const error = await this.#attempt(stillHere([item]));
        if (error !== undefined) item.reject(error);
      }
    } else if (failed !== undefined) {
      for (const item of items) item.reject(failed);
    }
  }

  /** Settles all that succeeded; gives the error with which the whole batch failed. */
  async #attempt(items: readonly Item[]): Promise<Error | undefined> {
    if (items.length === 0) return undefined;
    let failed: ReadonlyMap<Consumption, Error>;
    try {
      failed = this.#units === undefined
        ? await this.#handle(items, undefined)
        : await this.#units.run(items.map(({ consumption }) => consumption), (unit, left) => {
          const own = items.filter(({ consumption }) => left.includes(consumption));
          return this.#handleIn(unit, own);
        });
    } catch (thrown) {
      return toError(thrown);
    }
    for (const item of items) {
      const error = failed.get(item.consumption);
      if (error === undefined) item.resolve();
      else item.reject(error);
    }
    return undefined;
  }

  /** What is answered becomes true with what was handled. */
  async #handleIn(unit: OpenUnit, items: readonly Item[]): Promise<ReadonlyMap<Consumption, Error>> {
    for (const { context, consumption } of items) {
      HandlingContext.enter(context, unit);
      consumption.responded = false;
    }
    const failures = await this.#handle(items, unit);
    for (const { context, consumption } of items) {
      if (!failures.has(consumption)) await HandlingContext.answer(context);
    }
    return failures;
  }

  /** Gives what single messages failed with. */
  async #handle(items: readonly Item[], unit: OpenUnit | undefined): Promise<ReadonlyMap<Consumption, Error>> {
    const [first] = items;
    if (first === undefined) return new Map();
    const context = new Batch(items, first, unit);
    const running = this.#callHandler(items, context);
    await (this.#limit?.hold(running, items.map(({ consumption }) => consumption)) ?? running);
    return context.failures;
  }

  async #callHandler(items: readonly Item[], context: Batch): Promise<void> {
    await this.#handler(items.map(({ context }) => context), context);
    await context.letGo();
  }
}

/** Without those that are to be left alone: their claim is lost, or the bus does not wait for them. */
function stillHere(items: readonly Item[]): Item[] {
  return items.filter(({ context, consumption, reject }) => {
    if (!consumption.isOver(context.attempt) && !consumption.stopping) return true;
    reject(consumption.whyOver(context.attempt));
    return false;
  });
}

/** One of each message id: another of it shares its fate. */
function distinct(items: readonly Item[]): readonly Item[] {
  const byId = new Map<string, Item>();
  for (const item of items) {
    const { messageId } = item.consumption.envelope;
    const first = byId.get(messageId);
    byId.set(messageId, first === undefined ? item : together(first, item));
  }
  return [...byId.values()];
}

function together(first: Item, second: Item): Item {
  return {
    ...first,
    resolve: () => {
      first.resolve();
      second.resolve();
    },
    reject: (error) => {
      first.reject(error);
      second.reject(error);
    },
  };
}
