/** A message as the transport gets it. @module */
import { isLarger } from "../envelope/body.ts";
import type { Envelope } from "../envelope/envelope.ts";
import { names, noHeaders, sizeOfHeaders } from "../envelope/headers.ts";
import { lengthOf } from "../envelope/meta.ts";
import { toHeaders } from "../envelope/wire.ts";
import { MessageTooLargeError, UnserializableError } from "../errors/sending.ts";
import type { Frame } from "../spi/frame.ts";
import type { Serializer } from "../spi/serializer.ts";
import type { Capabilities } from "../spi/transport.ts";
import type { SendTarget } from "./outgoing_message.ts";
import type { Reference } from "./reference.ts";
import { KeptFrame } from "../envelope/kept_frame.ts";

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
  const { maxFrameBytes } = capabilities;
  const isKept = capabilities.keepsFrames === true && serializer.toText !== undefined;
  // Who keeps it will ask for its bytes.
  const mostCopied = keeps === true ? 0 : maxFrameBytes;
  const frame = isKept
    ? keptFrame(content, contract, serializer, mostCopied)
    : byteFrame(content, contract, serializer);
  if (isLarger(frame, maxFrameBytes)) {
    throw new MessageTooLargeError(contract, "body", frame.body.byteLength, maxFrameBytes);
  }
  const { envelope } = content;
  // Cheap bound first: most messages have a handful of short headers.
  if (!isShort(frame, envelope)) {
    const limit = Math.min(mostHeaderBytes, capabilities.maxHeaderBytes);
    const size = sizeOfHeaders(frame.headers);
    if (size > limit) throw new MessageTooLargeError(contract, "headers", size, limit);
  }
  return frame;
}

function keptFrame(
  { envelope, message }: Reference,
  contract: string,
  serializer: Serializer,
  mostCopied: number,
): Frame {
  try {
    const isCopied = mostCopied > 0 && typeof message === "object" && message !== null;
    const copy = isCopied ? serializer.copy?.(message, mostCopied) : undefined;
    if (copy !== undefined) return new KeptFrame(envelope, serializer, copy, undefined);
    const { text, types } = serializer.toText!(message); // asked before
    return new KeptFrame(envelope, serializer, text, types);
  } catch (error) {
    throw named(error, contract);
  }
}

function byteFrame({ envelope, message }: Reference, contract: string, serializer: Serializer): Frame {
  try {
    const { body, types } = serializer.serialize(message);
    return { contentType: serializer.contentType, headers: toHeaders(envelope, types), body };
  } catch (error) {
    throw named(error, contract);
  }
}

/** A serializer does not know whose message it is: an error of it is told with that. */
function named(error: unknown, contract: string): unknown {
  if (!(error instanceof UnserializableError)) return error;
  const { path, why, excess, cause } = error;
  if (excess === undefined) return new UnserializableError(path, why, { contract, cause });
  return new MessageTooLargeError(contract, "body", excess.sizeInBytes, excess.limitInBytes, { cause: error });
}

/** Whether the headers are the library's own alone, and as short as they usually are. */
function isShort(frame: Frame, envelope: Envelope): boolean {
  if (envelope.headers !== noHeaders || envelope.trace !== undefined) return false;
  if (frame instanceof KeptFrame) return lengthOf(envelope) + (frame.types?.length ?? 0) <= fewCharacters;
  const { [names.type]: type, [names.meta]: meta, [names.types]: types = "" } = frame.headers;
  return String(type).length + String(meta).length + String(types).length <= fewCharacters;
}
