/** Reads a message: envelope, payload, version, schema. @module */
import type { Definition } from "../../contracts/definition.ts";
import { names } from "../../envelope/headers.ts";
import { UnreadableMessageError } from "../../errors/receiving.ts";
import type { FrameHeaders } from "../../spi/frame.ts";
import { isPromise } from "../../values/awaitable.ts";
import { otherThanObject } from "../../values/kind_of.ts";
import { messageType } from "../../envelope/message_type.ts";
import type { Match, Reading } from "../bindings.ts";
import type { Consumption } from "../consumption.ts";
import type { TypeByTopic } from "../endpoint_services.ts";
import { envelopeOf, payloadOf, restored } from "../opened.ts";
import { referred } from "../reference.ts";

/**
 * Reads the envelope of a frame.
 *
 * @throws {UnreadableMessageError} if it is not what it must be
 */
export function open(consumption: Consumption): void {
  const { delivery, services } = consumption;
  const { frame, unreadable } = delivery;
  if (unreadable !== undefined) {
    throw new UnreadableMessageError(`the broker's message is not a frame: ${unreadable.message}`, {
      cause: unreadable,
    });
  }
  const envelope = envelopeOf(frame, services.newId);
  consumption.envelope = envelope.type === ""
    ? { ...envelope, type: foreignType(delivery.via, services.typeByTopic, frame.headers) }
    : envelope;
}

/**
 * Reads the payload of a frame, and finds the handlers that the message is for. Where there are none it goes on to the
 * skipped queue; what cannot be read is thrown, or rejected.
 */
export function read(consumption: Consumption): void | Promise<void> {
  const { delivery: { frame }, services: { transforms, serializers } } = consumption;
  if (transforms.length > 0 && referred(frame) === undefined) {
    return restored(frame, transforms).then((plain) => match(consumption, payloadOf(plain, serializers)));
  }
  return match(consumption, payloadOf(frame, serializers));
}

function match(consumption: Consumption, value: unknown): void | Promise<void> {
  consumption.received = value;
  const match = consumption.services.bindings.match(consumption.envelope.type);
  if (match.readings.length === 0) return skip(consumption);
  consumption.match = match;
  return readAll(consumption, match, value);
}

function foreignType(via: string | undefined, typeByTopic: TypeByTopic, headers: FrameHeaders): string {
  const type = via === undefined ? undefined : typeByTopic(via);
  if (type !== undefined) return type;
  throw new UnreadableMessageError(
    `it has no header "${names.type}", and came by ${
      via === undefined ? "no topic" : `"${via}"`
    }, which tells nothing. ` +
      `Its headers are ${Object.keys(headers).slice(0, 20).map((name) => `"${name}"`).join(", ") || "none"}`,
  );
}

function readAll(consumption: Consumption, { readings }: Match, value: unknown): void | Promise<void> {
  const [only] = readings;
  if (readings.length === 1 && only !== undefined) return readOne(consumption, only, value);
  const values: unknown[] = [];
  let waits: Promise<void>[] | undefined;
  for (let index = 0; index < readings.length; index++) {
    const reading = readings[index];
    if (reading === undefined) break;
    // Handlers that read it alike share what was read.
    const same = index === 0 ? -1 : readings.findIndex(({ as }) => as === reading.as);
    if (same >= 0 && same < index) {
      values[index] = values[same];
      continue;
    }
    if (reading.read === undefined) {
      values[index] = plain(value, reading.as.name);
      continue;
    }
    const result = reading.read(value);
    if (!isPromise(result)) values[index] = result;
    else (waits ??= []).push(Promise.resolve(result).then((each) => void (values[index] = each)));
  }
  if (waits === undefined) {
    consumption.values = values;
    return;
  }
  return Promise.all(waits).then(() => {
    for (const [index, { as }] of readings.entries()) {
      values[index] ??= values[readings.findIndex((other) => other.as === as)];
    }
    consumption.values = values;
  });
}

function readOne(consumption: Consumption, { as, read }: Reading, value: unknown): void | Promise<void> {
  if (read === undefined) {
    consumption.value = plain(value, as.name);
    return;
  }
  const result = read(value);
  // An upcast or schema may give any thenable: only a promise is known to settle once, and not to throw.
  if (isPromise(result)) return Promise.resolve(result).then((each) => void (consumption.value = each));
  consumption.value = result;
}

/** Without a schema, a message is at least an object: what no application sends is not handed to one. */
function plain(value: unknown, contract: string): unknown {
  const what = otherThanObject(value);
  if (what === undefined) return value;
  throw new UnreadableMessageError(`its payload is ${what}, and "${contract}" is an object`);
}

function skip(consumption: Consumption): void {
  const { services } = consumption;
  consumption.unhandled = "skipped";
  consumption.putAside("_skipped", {
    [names.reason]: "no-consumer",
    [names.failedAt]: new Date(services.clock.now()).toISOString(),
    [names.failedEndpoint]: services.name,
  });
}

/** The types of contracts by their topics. */
export function typesByTopic(
  definitions: readonly Definition[],
  topic: (definition: Definition) => string,
): TypeByTopic {
  const types = new Map(definitions.map((definition) => [topic(definition), messageType(definition)]));
  return (via) => types.get(via);
}
