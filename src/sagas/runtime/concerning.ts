/** Which instance a message is for, of which there are the bytes alone. @module */
import { definitionOf } from "../../contracts/definition.ts";
import { reader } from "../../contracts/reading.ts";
import type { Serializers } from "../../serialization/negotiation.ts";
import type { EventDefinition, SagaDefinition } from "../definition.ts";
import type { SagaInstance } from "../instance.ts";
import { idOf } from "./correlating.ts";
import { sagaSignal, toSignal } from "./signal.ts";

/** What is known of a message that was given up. */
export interface GivenUp {
  readonly contract: { readonly name: string; readonly version: number } | undefined;
  readonly requestId: string | undefined;
  readonly contentType: string;
  readonly body: Uint8Array;
}

/**
 * Whether a message is for an instance: by its id, or as the answer to a request of it.
 *
 * @param instance as it is; `undefined`: it is not there
 */
export async function concerns(
  saga: SagaDefinition,
  id: string,
  instance: SagaInstance | undefined,
  message: GivenUp,
  serializers: Serializers,
): Promise<boolean> {
  const { contract, requestId, contentType, body } = message;
  if (contract === undefined) return false;
  if (requestId !== undefined && instance !== undefined && Object.hasOwn(instance.requests, requestId)) return true;
  try {
    const value = serializers.pick(contentType === "" ? undefined : contentType).deserialize(body, undefined);
    if (contract.name === sagaSignal.name) {
      const signal = toSignal(value);
      return signal.saga === saga.name && signal.id === id;
    }
    const event = [...saga.events.values()].find((each) => each.contract.name === contract.name);
    return event !== undefined && await idFrom(saga, event, contract.version, value) === id;
  } catch {
    // What cannot be read is nobody's.
    return false;
  }
}

async function idFrom(saga: SagaDefinition, event: EventDefinition, version: number, value: unknown): Promise<string> {
  const read = reader(definitionOf(event.contract, "the contract of an event"), version);
  return idOf(saga, event, read === undefined ? value : await read(value));
}
