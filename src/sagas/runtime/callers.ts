/** Whoever waits for what a saga makes of the answer to a request of its own. @module */
import { definitionOf } from "../../contracts/definition.ts";
import { type Fault, faultDefinition } from "../../contracts/fault.ts";
import { exceptionInfo } from "../../errors/exception_info.ts";
import type { Consumption } from "../../pipeline/consumption.ts";
import { noOptions } from "../../pipeline/draft.ts";
import type { BusServices } from "../../pipeline/endpoint_services.ts";
import type { SendTarget } from "../../pipeline/outgoing_message.ts";
import type { SagaDefinition } from "../definition.ts";
import { callerIn } from "../compensation.ts";
import type { Caller, Occurrence, SagaInstance } from "../instance.ts";

/** By the delivery of an answer, of a request's timeout, or of a part of a compensation. */
const callers = new WeakMap<Consumption, { readonly caller: Caller; readonly saga: SagaDefinition }>();

/** Notes who is to be told if a delivery is given up that was to lead to an answer. */
export function rememberCaller(
  consumption: Consumption,
  saga: SagaDefinition,
  { requests, compensating }: SagaInstance,
  occurrence: Occurrence,
): void {
  let caller: Caller | undefined;
  if ("requestId" in occurrence) {
    const { requestId } = occurrence;
    caller = Object.hasOwn(requests, requestId) ? requests[requestId]?.caller : undefined;
  } else if (occurrence.kind === "compensate") {
    caller = compensating === undefined ? undefined : callerIn(compensating);
  }
  if (caller !== undefined) callers.set(consumption, { caller, saga });
}

/** Tells whoever waits that a delivery was given up which was to lead to its answer. */
export async function tellCaller(consumption: Consumption, error: Error): Promise<void> {
  const found = callers.get(consumption);
  if (found === undefined) return;
  // The delivery is given up, and this says so: it does not wait for a unit that has failed.
  const { services } = consumption;
  await faultCaller(services, consumption, found.saga, found.caller, error, services.outbound);
}

/**
 * Sends a fault to whoever waits, if it still does.
 *
 * @param cause the delivery that ends the wait; `undefined`: an operator does
 */
export async function faultCaller(
  services: BusServices,
  cause: Consumption | undefined,
  saga: SagaDefinition,
  { event: name, address, requestId, expiresAt }: Caller,
  error: Error,
  target: SendTarget,
): Promise<void> {
  const event = saga.events.get(name);
  if (event === undefined || (expiresAt !== undefined && expiresAt <= services.clock.now())) return;
  const message: Fault<unknown> = {
    faultId: services.newId(),
    faultedMessageId: cause?.envelope.messageId ?? requestId,
    timestamp: new Date(services.clock.now()).toISOString(),
    exceptions: [exceptionInfo(error)],
    host: services.host,
    // What was asked has been handled, and is not kept.
    message: null,
  };
  const definition = faultDefinition(definitionOf(event.contract, `the contract of "${name}"`));
  await services.sendPipeline.send("fault", definition, message, noOptions, cause, target, {
    to: address,
    requestId,
    expiresAt,
  });
}
