/** A message as the transport gets it. @module */
import { names, noHeaders, sizeOfHeaders } from "../envelope/headers.ts";
import { toHeaders } from "../envelope/wire.ts";
import { MessageTooLargeError, UnserializableError } from "../errors/sending.ts";
import type { Frame } from "../spi/frame.ts";
import type { Serializer } from "../spi/serializer.ts";
import type { Capabilities } from "../spi/transport.ts";
import type { SendTarget } from "./outgoing_message.ts";
import type { Reference } from "./reference.ts";

/** What frames depend on. */
export interface Framing {
  readonly capabilities: Capabilities;
  readonly serializer: Serializer;
}

/** Of all headers of a message together. */
const mostHeaderBytes = 16 * 1024;
const fewCharacters = 2048;

/**
 * The frame of a message: its bytes, or the message itself where neither transport nor target needs them.
 *
 * @param contract its name, for errors
 * @throws {MessageTooLargeError}
 * @throws {UnserializableError} which names the contract
 */
export function frameOf(
  content: Reference,
  contract: string,
  { keeps }: SendTarget,
  { capabilities, serializer }: Framing,
): Frame {
  if (capabilities.references === true && keeps !== true) return content;
  const { envelope, message } = content;
  const { body, types } = serialized(message, contract, serializer);
  const frame: Frame = { contentType: serializer.contentType, headers: toHeaders(envelope, types), body };
  if (body.byteLength > capabilities.maxFrameBytes) {
    throw new MessageTooLargeError(contract, "body", body.byteLength, capabilities.maxFrameBytes);
  }
  // Cheap bound first: most messages have a handful of short headers.
  if (envelope.headers !== noHeaders || types !== undefined || envelope.trace !== undefined || !isShort(frame)) {
    const limit = Math.min(mostHeaderBytes, capabilities.maxHeaderBytes);
    const size = sizeOfHeaders(frame.headers);
    if (size > limit) throw new MessageTooLargeError(contract, "headers", size, limit);
  }
  return frame;
}

/** A serializer does not know whose message it is: an error of it is told with that. */
function serialized(message: unknown, contract: string, serializer: Serializer): ReturnType<Serializer["serialize"]> {
  try {
    return serializer.serialize(message);
  } catch (error) {
    if (!(error instanceof UnserializableError)) throw error;
    const { path, why, excess, cause } = error;
    if (excess === undefined) throw new UnserializableError(path, why, { contract, cause });
    throw new MessageTooLargeError(contract, "body", excess.sizeInBytes, excess.limitInBytes, { cause: error });
  }
}

/** Whether what the library itself says of a message is as short as it usually is. */
function isShort({ headers }: Frame): boolean {
  const { [names.type]: type, [names.meta]: meta } = headers;
  return String(type).length + String(meta).length <= fewCharacters;
}
