/** The entry point's functions. @module */
import { ConfigurationError } from "../../src/errors/configuration.ts";
import type { Extension, Transport } from "../../src/spi/transport.ts";
import { Broker, type MemoryBroker } from "./broker.ts";
import type { MemoryQueueOptions } from "./topology.ts";
import { MemoryTransport } from "./transport.ts";
import { checkOptionNames, type OptionNames } from "../../src/values/option_names.ts";

/** How messages move within a process. */
export interface MemoryOptions {
  /**
   * Messages are passed on as they are, and not serialized: faster, but a test then does not see what a broker
   * would deliver. Default: as `broker` says, else false.
   */
  readonly byReference?: boolean;
  /** What it shares with the transports of other buses. Default: a broker of its own. */
  readonly broker?: MemoryBroker;
  /**
   * How many messages may wait in a queue, at least 1. Above it, `send` asks the bus to wait; from twice that on, what
   * is sent fails with `BackpressureError`. What is moved, released or due again is never refused. Default: no bound.
   */
  readonly maxQueueLength?: number;
}

/** What {@linkcode memory} is: a function, and the settings of single queues. */
export interface Memory {
  /**
   * Makes a transport that never leaves the process: publish and subscribe, competing consumers, delay, expiry,
   * priority, order by key. All time is that of the bus' clock.
   *
   * @throws {ConfigurationError} if the broker is not of `memoryBroker()` or moves references otherwise, or a bound is
   * not a number ≥ 1
   */
  (options?: MemoryOptions): Transport;
  /**
   * The setting of one queue.
   *
   * @throws {ConfigurationError} if a bound is not a number ≥ 1
   */
  queue(options: MemoryQueueOptions): Extension;
}

const brokerOptionNames: OptionNames<{ readonly byReference?: boolean }> = { byReference: true };
const queueOptionNames: OptionNames<MemoryQueueOptions> = { maxQueueLength: true, deadLetterExpired: true };
/** What {@linkcode MemoryOptions} may name. */
const optionNames: OptionNames<MemoryOptions> = {
  byReference: true,
  broker: true,
  maxQueueLength: true,
};

/**
 * Makes a transport that never leaves the process; `memory.queue({ … })` sets a single queue.
 *
 * @example Two buses on one broker
 * ```ts
 * import { createBus, memory, memoryBroker } from "@hero/messaging";
 *
 * const broker = memoryBroker();
 * const orders = createBus({ name: "orders", transport: memory({ broker }) });
 * const billing = createBus({ name: "billing", transport: memory({ broker }) });
 * ```
 */
export const memory: Memory = Object.assign(
  (options: MemoryOptions = {}): Transport => {
    checkOptionNames(options, optionNames, "memory()");
    const { byReference, broker, maxQueueLength = Infinity } = options;
    checkBound(maxQueueLength);
    const shared = broker ?? new Broker(byReference ?? false);
    if (!(shared instanceof Broker)) {
      throw new ConfigurationError(`Cannot use this broker for memory(): it is none. Make one with memoryBroker()`);
    }
    if (byReference !== undefined && byReference !== shared.byReference) {
      throw new ConfigurationError(
        `Cannot use { byReference: ${byReference} } on a broker that is made with ${shared.byReference}: ` +
          `all its buses must read the same. Say it in memoryBroker({ byReference }) alone`,
      );
    }
    return new MemoryTransport(shared, maxQueueLength, broker === undefined);
  },
  {
    queue: (options: MemoryQueueOptions): Extension => {
      checkOptionNames(options, queueOptionNames, "memory.queue()");
      if (options.maxQueueLength !== undefined) checkBound(options.maxQueueLength);
      return { transport: "memory", value: options };
    },
  },
);

/**
 * Makes a broker for the buses of one process: `memory({ broker })`. What waits in it is gone with it.
 *
 * @param options `byReference`: as {@linkcode MemoryOptions.byReference}, for all its buses
 */
export function memoryBroker(options: { readonly byReference?: boolean } = {}): MemoryBroker {
  checkOptionNames(options, brokerOptionNames, "memoryBroker()");
  return new Broker(options.byReference ?? false);
}

function checkBound(maxQueueLength: number): void {
  if (maxQueueLength >= 1) return;
  throw new ConfigurationError(`Cannot bound a queue to ${maxQueueLength} messages. Give a number ≥ 1`);
}
