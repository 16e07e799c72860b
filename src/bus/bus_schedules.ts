/** Which of broker and store keeps what is due later. @module */
import type { Contract } from "../contracts/contract.ts";
import type { Storage } from "../outbox/storage.ts";
import { StoreSchedules } from "../outbox/store_schedules.ts";
import { UnitOfWork } from "../outbox/unit_of_work.ts";
import type { Cause } from "../pipeline/draft.ts";
import type { BusServices } from "../pipeline/endpoint_services.ts";
import type { Schedules } from "../pipeline/schedules.ts";
import type { SendTarget } from "../pipeline/outgoing_message.ts";
import type { ScheduleOptions, ScheduleToken, When } from "../pipeline/sending.ts";

/**
 * Schedules of a bus. The store keeps them where the application has given one, and within a unit of work, whose part
 * they are; else the broker does.
 */
export class BusSchedules implements Schedules {
  readonly #broker: Schedules;
  readonly #storage: () => Storage | undefined;
  readonly #services: () => BusServices;

  constructor(broker: Schedules, storage: () => Storage | undefined, services: () => BusServices) {
    this.#broker = broker;
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
    const store = this.#store(target instanceof UnitOfWork);
    return (store ?? this.#broker).schedule(contract, message, when, options, cause, target);
  }

  unschedule(token: ScheduleToken, target: SendTarget): Promise<void> {
    const store = this.#store(StoreSchedules.knows(token));
    return (store ?? this.#broker).unschedule(token, target);
  }

  #store(anyway: boolean): Schedules | undefined {
    const storage = this.#storage();
    return storage !== undefined && (storage.durable || anyway)
      ? new StoreSchedules(storage, this.#services)
      : undefined;
  }
}
