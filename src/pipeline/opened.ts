/** What a frame says, whether it came as bytes or never left the process. @module */
import type { Envelope } from "../envelope/envelope.ts";
import { headerText, names } from "../envelope/headers.ts";
import { envelopeIn, KeptFrame } from "../envelope/kept_frame.ts";
import { fromHeaders } from "../envelope/wire.ts";
import type { Serializers } from "../serialization/negotiation.ts";
import { type Frame, withHeaders } from "../spi/frame.ts";
import type { FrameTransform } from "../spi/frame_transform.ts";
import { referred } from "./reference.ts";

/**
 * The envelope of a frame.
 *
 * @param newId for one that says none
 * @throws {UnreadableMessageError} if it is not what it must be
 */
export function envelopeOf(frame: Frame, newId: () => string): Envelope {
  return referred(frame)?.envelope ?? envelopeIn(frame) ?? fromHeaders(frame, newId);
}

/**
 * The payload of a frame, for its reader alone unless the transport moves references.
 *
 * @throws {UnreadableMessageError} if it cannot be read
 * @throws {UnknownContentTypeError} if no serializer reads such
 */
export function payloadOf(frame: Frame, serializers: Serializers): unknown {
  const reference = referred(frame);
  if (reference !== undefined) return reference.message;
  const { contentType } = frame;
  const serializer = serializers.pick(contentType === "" ? undefined : contentType);
  const copy = frame instanceof KeptFrame ? frame.readBy(serializer) : undefined;
  if (copy !== undefined) return copy;
  const types = frame instanceof KeptFrame ? frame.types : headerText(frame.headers[names.types]);
  const { text } = frame;
  return text === undefined || serializer.fromText === undefined
    ? serializer.deserialize(frame.body, types)
    : serializer.fromText(text, types);
}

/** What was done last when it was sent is undone first. */
export async function restored(frame: Frame, transforms: readonly FrameTransform[]): Promise<Frame> {
  // They may spread it.
  let plain = frame instanceof KeptFrame ? withHeaders(frame, frame.headers) : frame;
  for (const transform of transforms.toReversed()) plain = await transform.restore(plain);
  return plain;
}
