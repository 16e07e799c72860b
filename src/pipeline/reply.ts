/** Answers to requests, and what they look like on the wire. @module */
import type { Definition } from "../contracts/definition.ts";
import { checkReply, namedReply, validator } from "../contracts/reading.ts";
import { messageType } from "../envelope/message_type.ts";
import { isPromise } from "../values/awaitable.ts";
import type { Consumption } from "./consumption.ts";
import { noOptions } from "./draft.ts";
import type { SendTarget } from "./outgoing_message.ts";

/** The type, on the wire, of the one reply of a contract. */
export function replyType(definition: Definition): string {
  return `reply:${definition.name}`;
}

/** What a reply that says no more than that the message has been handled is told by: JSON has no `undefined`. */
const nothing = ";nothing";

/** Whether `type` is that of a reply to `definition`. A service that only knows its base answers as that. */
export function isReplyTo(definition: Definition, type: string): boolean {
  for (let at: Definition | undefined = definition; at !== undefined; at = at.base) {
    if (type === replyType(at)) return true;
  }
  return false;
}

/** Whether a reply of that `hero-type` is `undefined`, not `null`. */
export function saysNothing(type: string): boolean {
  return type.endsWith(nothing);
}

/**
 * Answers the request that is being handled; does nothing if it is none, or has been answered.
 *
 * @param target where the answer goes; left out: where everything goes that the attempt sends
 * @throws {InvalidMessageError} if the reply does not satisfy its schema, or is none of the named ones
 */
export async function respond(
  consumption: Consumption,
  definition: Definition,
  reply: unknown,
  target: SendTarget = consumption.target,
): Promise<void> {
  const { envelope, services } = consumption;
  if (envelope.responseAddress === undefined || envelope.requestId === undefined || consumption.responded) return;
  const { type, message } = await prepare(definition, reply);
  consumption.responded = true;
  await services.sendPipeline.send("respond", definition, message, noOptions, consumption, target, {
    to: envelope.responseAddress,
    requestId: envelope.requestId,
    type,
    // Nobody waits for it any longer than its request.
    expiresAt: envelope.expiresAt,
  });
}

async function prepare(definition: Definition, reply: unknown): Promise<{ type: string; message: unknown }> {
  if (definition.replies !== undefined) {
    const { contract, message } = namedReply(definition, definition.replies, reply);
    const validate = validator(contract, "send");
    if (validate !== undefined) await validate(message);
    return { type: messageType(contract), message };
  }
  if (definition.reply !== undefined) {
    const checked = checkReply(definition, definition.reply, reply, "send");
    if (isPromise(checked)) await checked;
  }
  // A handler that has nothing to say says that it is done.
  if (reply === undefined) return { type: replyType(definition) + nothing, message: null };
  return { type: replyType(definition), message: reply };
}
