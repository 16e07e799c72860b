/** What the answer to a request says. @module */
import type { Definition } from "../contracts/definition.ts";
import { checkReply, reader } from "../contracts/reading.ts";
import type { Envelope } from "../envelope/envelope.ts";
import { parseMessageType } from "../envelope/message_type.ts";
import type { ExceptionInfo } from "../errors/exception_info.ts";
import { UnreadableMessageError } from "../errors/receiving.ts";
import { RequestFaultError } from "../errors/sending.ts";
import type { BusServices } from "../pipeline/endpoint_services.ts";
import { payloadOf, restored } from "../pipeline/opened.ts";
import { isReplyTo, saysNothing } from "../pipeline/reply.ts";
import type { Frame } from "../spi/frame.ts";
import type { Awaitable } from "../values/awaitable.ts";

/**
 * Reads an answer.
 *
 * @param definition of what was asked
 * @throws {RequestFaultError} if it is a fault
 * @throws {UnreadableMessageError} if it cannot be read, or is no reply to that
 */
export function readAnswer(
  definition: Definition,
  envelope: Envelope,
  frame: Frame,
  { transforms, serializers }: Pick<BusServices, "transforms" | "serializers">,
): Awaitable<unknown> {
  if (transforms.length === 0) return reply(definition, envelope, payloadOf(frame, serializers));
  return restored(frame, transforms).then((plain) => reply(definition, envelope, payloadOf(plain, serializers)));
}

function reply(definition: Definition, envelope: Envelope, value: unknown): Awaitable<unknown> {
  const types = parseMessageType(envelope.type);
  const own = types[0]?.name ?? "";
  if (own.startsWith("fault:")) throw new RequestFaultError(definition.name, exceptionsOf(value));
  if (definition.replies !== undefined) {
    // The most specific first: one of the replies may be the base of another.
    for (const { name, version } of types) {
      const named = Object.entries(definition.replies).find(([, contract]) => contract.name === name);
      if (named === undefined) continue;
      const [kind, contract] = named;
      const read = reader(contract, version);
      return Promise.resolve(read === undefined ? value : read(value)).then((message) => ({ kind, message }));
    }
  } else if (isReplyTo(definition, own)) {
    const reply = value === null && saysNothing(envelope.type) ? undefined : value;
    return definition.reply === undefined ? reply : checkReply(definition, definition.reply, reply, "receive");
  }
  throw new UnreadableMessageError(`"${own}" is no reply that "${definition.name}" declares`);
}

function exceptionsOf(fault: unknown): readonly ExceptionInfo[] {
  if (typeof fault === "object" && fault !== null && "exceptions" in fault && Array.isArray(fault.exceptions)) {
    const known = fault.exceptions.filter((each): each is ExceptionInfo =>
      typeof each === "object" && each !== null && typeof each.type === "string" && typeof each.message === "string"
    );
    if (known.length > 0) return known;
  }
  return [{ type: "Error", message: "The fault names no exception" }];
}
