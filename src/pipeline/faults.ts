/** What becomes of a message that an endpoint gives up. @module */
import type { Definition } from "../contracts/definition.ts";
import { type Fault, faultDefinition } from "../contracts/fault.ts";
import { headerText, names } from "../envelope/headers.ts";
import { exceptionInfo } from "../errors/exception_info.ts";
import {
  DeliveryLimitError,
  NoUpcastError,
  UnknownContentTypeError,
  UnreadableMessageError,
  VersionAheadError,
} from "../errors/receiving.ts";
import { toError } from "../errors/thrown.ts";
import { InvalidMessageError } from "../errors/sending.ts";
import type { FrameHeaders } from "../spi/frame.ts";
import type { Consumption } from "./consumption.ts";
import { noOptions } from "./draft.ts";
import type { ObservedFailure } from "./observers.ts";
import { payloadOf, restored } from "./opened.ts";
import { referred } from "./reference.ts";

/** Tells of a message that was given up whom its fault does not tell. */
export type TellMore = (consumption: Consumption, error: Error) => Promise<void>;

/**
 * Moves a message that failed for good to the error queue, its body as it came, and tells of it: whoever asked, else
 * whoever subscribes to its faults. Never rejects.
 *
 * @param publish whether faults are published; who asked is told in any case
 * @param tellMore tells others of it
 */
export async function giveUp(
  consumption: Consumption,
  error: Error,
  publish: boolean,
  tellMore?: TellMore,
): Promise<void> {
  const { services } = consumption;
  if (consumption.lost) return;
  if (consumption.stopping) {
    // Not its failure: whoever comes next handles it.
    consumption.outcome = { outcome: "release" };
    consumption.unhandled = "released";
    return;
  }
  consumption.error = error;
  consumption.unhandled = undefined;
  services.statistics.faulted++;
  const headers = errorHeaders(consumption, error);
  consumption.putAside("_error", headers);
  if (services.observers.any) {
    const failure: ObservedFailure = { ...consumption.observed(), error, then: "error" };
    services.observers.tell((observer) => observer.faulted?.(failure));
  }
  try {
    await tell(consumption, error, publish);
    await tellMore?.(consumption, error);
  } catch (thrown) {
    // The message is safe in the error queue; that nobody was told is written beside it.
    consumption.putAside("_error", { ...headers, [names.faultNotTold]: cut(toError(thrown).message) });
  }
}

function errorHeaders(consumption: Consumption, error: Error): FrameHeaders {
  const { services, attempt, handled, ruleError } = consumption;
  const info = exceptionInfo(error, { message: 1024, stack: 2048, causes: 3 });
  const exceptions = ruleError === undefined ? [info] : [info, exceptionInfo(ruleError, { message: 512, stack: 0 })];
  return {
    ...idOf(consumption),
    [names.reason]: reasonOf(error),
    [names.errorType]: cut(info.type),
    [names.errorMessage]: cut(info.message),
    [names.errors]: JSON.stringify(exceptions),
    [names.failedAt]: new Date(services.clock.now()).toISOString(),
    [names.failedEndpoint]: services.name,
    [names.failedHost]: JSON.stringify(services.host),
    [names.failedAttempts]: handled ? attempt : attempt - 1,
  };
}

/** What a foreign sender did not name is named now: an operator must be able to say which message is meant. */
function idOf({ delivery: { frame }, envelopeIfRead, services }: Consumption): FrameHeaders {
  if (referred(frame) !== undefined || headerText(frame.headers[names.id])) return {};
  return { [names.id]: envelopeIfRead?.messageId ?? services.newId() };
}

function reasonOf(error: Error): string {
  if (error instanceof DeliveryLimitError) return "limit";
  return isInputError(error) ? "unreadable" : "fault";
}

/** Errors of what came, not of who handled it. */
function isInputError(error: Error): boolean {
  return error instanceof UnreadableMessageError || error instanceof UnknownContentTypeError ||
    error instanceof VersionAheadError || error instanceof NoUpcastError ||
    (error instanceof InvalidMessageError && error.doing === "receive");
}

function cut(text: string): string {
  return text.length <= 1024 ? text : `${text.slice(0, 1023)}…`.toWellFormed();
}

async function tell(consumption: Consumption, error: Error, publish: boolean): Promise<void> {
  const { services, envelopeIfRead: envelope } = consumption;
  if (envelope === undefined) return;
  const asked = envelope.requestId === undefined ? undefined : envelope.responseAddress;
  const to = envelope.faultAddress ?? asked;
  const of = consumption.definition ?? knownBy(consumption, envelope.type);
  if (of === undefined || (to === undefined && (!publish || of.faultOf !== undefined || of.local))) return;
  const definition = faultDefinition(of);
  const message: Fault<unknown> = {
    faultId: services.newId(),
    faultedMessageId: envelope.messageId,
    timestamp: new Date(services.clock.now()).toISOString(),
    exceptions: [exceptionInfo(error)],
    host: services.host,
    message: await given(consumption),
  };
  const key = consumption.delivery.key;
  const options = key === undefined ? noOptions : { key };
  // The message is given up, and this says so: it does not wait for a unit that has failed.
  await services.sendPipeline.send("fault", definition, message, options, consumption, services.outbound, {
    to,
    requestId: envelope.requestId,
    ...(asked === undefined ? {} : { expiresAt: envelope.expiresAt }),
  });
}

/** What was given up, read anew: its handlers may have changed it, or put there what cannot be sent. */
async function given(
  { received, delivery: { frame }, services: { transforms, serializers } }: Consumption,
): Promise<unknown> {
  if (received === undefined || referred(frame) !== undefined) return received ?? null;
  try {
    return payloadOf(transforms.length === 0 ? frame : await restored(frame, transforms), serializers);
  } catch {
    return received; // what it was restored from is gone meanwhile
  }
}

function knownBy(consumption: Consumption, type: string): Definition | undefined {
  const name = type.split(/[;,]/, 1)[0] ?? "";
  return consumption.services.registry.find(name, 1);
}
