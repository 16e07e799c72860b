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
  const asker = askerOf(consumption);
  if (asker === undefined) return;
  const prepared = await prepare(definition, reply);
  const { attempt } = consumption;
  consumption.responded = true;
  try {
    await sendReply(consumption, definition, prepared, asker, target);
  } catch (error) {
    // So that the next attempt answers. What fails once that one runs says nothing of its answer.
    if (consumption.attempt === attempt) consumption.responded = false;
    throw error;
  }
}

/** Who waits for an answer. */
export interface AskerAddress {
  readonly address: string;
  readonly requestId: string;
  /** Epoch milliseconds: it waits no longer. */
  readonly expiresAt?: number | undefined;
}

/** Who asked for the message that is handled; `undefined`: nobody, or it has been answered. */
export function askerOf({ envelope, responded }: Consumption): AskerAddress | undefined {
  const { responseAddress: address, requestId, expiresAt } = envelope;
  if (address === undefined || requestId === undefined || responded === true) return undefined;
  return { address, requestId, expiresAt };
}

/** Answers one who has asked for another message than the one that is handled; as {@linkcode respond}. */
export async function respondTo(
  asker: AskerAddress,
  consumption: Consumption,
  definition: Definition,
  reply: unknown,
  target: SendTarget,
): Promise<void> {
  await sendReply(consumption, definition, await prepare(definition, reply), asker, target);
}

interface Prepared {
  readonly type: string;
  readonly message: unknown;
}

function sendReply(
  consumption: Consumption,
  definition: Definition,
  { type, message }: Prepared,
  { address, requestId, expiresAt }: AskerAddress,
  target: SendTarget,
): Promise<void> {
  return consumption.services.sendPipeline.send("respond", definition, message, noOptions, consumption, target, {
    to: address,
    requestId,
    type,
    // Nobody waits for it any longer than its request.
    expiresAt,
  });
}

async function prepare(definition: Definition, reply: unknown): Promise<Prepared> {
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
