/** Tells observers of instances that were changed. @module */
import type { Consumption } from "../../pipeline/consumption.ts";
import type { ObservedInstance } from "../../pipeline/observers.ts";
import type { UnitOfWork } from "../../outbox/unit_of_work.ts";
import type { Serializer } from "../../spi/serializer.ts";
import type { SagaDefinition } from "../definition.ts";
import type { Occurrence, SagaInstance } from "../instance.ts";
import { isOver } from "../machine.ts";

/** Tells observers, once the unit is committed, what a message has done to an instance. */
export function tellOfInstance(
  saga: SagaDefinition,
  instance: SagaInstance,
  occurrence: Occurrence,
  transitions: ObservedInstance["transitions"],
  { services, envelope }: Consumption,
  unit: UnitOfWork,
  serializer: Serializer,
): void {
  const { observers } = services;
  const { id, incarnation, state, data } = instance;
  // As it is now: what comes next in the unit may change it.
  const { body, types } = serializer.serialize(data);
  const observed: ObservedInstance = {
    saga: saga.name,
    id,
    incarnation,
    kind: occurrence.kind,
    name: nameOf(occurrence),
    messageId: envelope.messageId,
    transitions,
    state,
    over: isOver(saga, instance),
    get data() {
      return serializer.deserialize(body, types);
    },
  };
  unit.onCommitted(() => observers.tell((observer) => observer.instance?.(observed)));
}

/** Of an event or timeout. */
export function nameOf(occurrence: Occurrence): string | undefined {
  return "event" in occurrence ? occurrence.event : "timeout" in occurrence ? occurrence.timeout : undefined;
}
