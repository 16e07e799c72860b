/** Which of broker and store keeps what is due later. @module */
import type { Contract } from "../contracts/contract.ts";
import { ConfigurationError } from "../errors/configuration.ts";
import type { Storage } from "../outbox/storage.ts";
import { StoreSchedules } from "../outbox/store_schedules.ts";
import { UnitOfWork } from "../outbox/unit_of_work.ts";
import type { Cause } from "../pipeline/draft.ts";
import type { BusServices } from "../pipeline/endpoint_services.ts";
import type { Schedules } from "../pipeline/schedules.ts";
import type { SendTarget } from "../pipeline/outgoing_message.ts";
import type { ScheduleOptions, ScheduleToken, When } from "../pipeline/sending.ts";
import type { Transport } from "../spi/transport.ts";
import { isPromise } from "../values/awaitable.ts";
import { BrokerSchedules } from "./broker_schedules.ts";

/**
 * Schedules of a bus. The store keeps them where the application has given one, and within a unit of work, whose part
 * they are; else the broker does. A store that dies with its process does so only if the broker would not keep them
 * longer.
 */
export class BusSchedules implements Schedules {
  readonly #broker: Schedules;
  readonly #brokerLasts: boolean;
  readonly #storage: () => Storage | undefined;
  readonly #services: () => BusServices;

  constructor(transport: Transport, storage: () => Storage | undefined, services: () => BusServices) {
    const { delay } = transport.capabilities;
    this.#broker = new BrokerSchedules(services, transport);
    this.#brokerLasts = delay !== false && delay.durable !== false;
    this.#storage = storage;
    this.#services = services;
  }

  schedule(
    contract: Contract,
    message: unknown,
    when: When,
    options: ScheduleOptions<unknown>,
    cause: Cause | undefined,
    target: SendTarget,
  ): Promise<ScheduleToken> {
    const store = this.#store(target instanceof UnitOfWork || this.#storeLasts);
    return (store ?? this.#broker).schedule(contract, message, when, options, cause, target);
  }

  unschedule(token: ScheduleToken, target: SendTarget): Promise<void> {
    const given: unknown = token;
    if (typeof given !== "object" || given === null || !("id" in given) || typeof given.id !== "string") {
      const why = isPromise(given)
        ? "it is a promise. Await what schedule() gives"
        : "it is none. Give what schedule() gave";
      return Promise.reject(new ConfigurationError(`Cannot unschedule by this token: ${why}`));
    }
    // Who has scheduled it need not be asked: the token says where it waits.
    return (this.#store(StoreSchedules.knows(token)) ?? this.#broker).unschedule(token, target);
  }

  /** Whether the store keeps what is due later, and for longer than the broker. */
  get #storeLasts(): boolean {
    const storage = this.#storage();
    if (storage === undefined || !storage.given) return false;
    return storage.store.capabilities.durable !== false || !this.#brokerLasts;
  }

  #store(asked: boolean): Schedules | undefined {
    const storage = this.#storage();
    return storage !== undefined && asked ? new StoreSchedules(storage, this.#services) : undefined;
  }
}
