/** What a bus knows of the instances of its sagas. @module */
import { ConfigurationError } from "../errors/configuration.ts";
import { noOptions } from "../pipeline/draft.ts";
import type { Shape } from "../sagas/context.ts";
import type { SagaInstances } from "../sagas/instances.ts";
import { concerns } from "../sagas/runtime/concerning.ts";
import { sagaSignal, type Signal } from "../sagas/runtime/signal.ts";
import { StoreSagaInstances } from "../sagas/runtime/store_instances.ts";
import { definitionOfSaga, type Saga } from "../sagas/saga.ts";
import type { BusCore } from "./bus_core.ts";
import type { ErrorQueue } from "./control.ts";
import type { Endpoints } from "./endpoints.ts";

/**
 * The instances of a saga of this bus.
 *
 * @param errors of an endpoint
 * @throws {ConfigurationError} if it is no saga, or none of this bus
 */
export function sagaInstances<S extends Shape>(
  saga: Saga<S>,
  core: BusCore,
  endpoints: Endpoints,
  errors: (endpoint: string) => ErrorQueue,
): SagaInstances<S> {
  const definition = definitionOfSaga(saga);
  if (definition === undefined) {
    throw new ConfigurationError(`Cannot ask the bus "${core.name}" for its instances: this is no saga`);
  }
  const endpoint = endpoints.ofSaga(definition);
  if (endpoint === undefined) {
    throw new ConfigurationError(
      `Cannot ask the bus "${core.name}" for instances of "${definition.name}": it does not run that saga. Add it first`,
    );
  }
  const { services } = core;
  return new StoreSagaInstances<S>(definition, {
    storage: core.needStorage(),
    services,
    requeue: async (id, instance) => {
      const queue = errors(endpoint);
      const ids: string[] = [];
      for await (const message of queue.list()) {
        if (await concerns(definition, id, instance, message, services.serializers)) ids.push(message.messageId);
      }
      return ids.length === 0 ? 0 : await queue.requeue(ids);
    },
    resume: async ({ id, incarnation }, token) => {
      const signal: Signal = { saga: definition.name, id, incarnation, token, kind: "compensate" };
      await services.sendPipeline.send("send", sagaSignal, signal, noOptions, undefined, core.outbound, {
        to: core.routing.queue(endpoint),
      });
    },
  });
}
