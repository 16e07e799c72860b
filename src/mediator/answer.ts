/** Answers to requests. @module */
import type { Definition } from "../contracts/definition.ts";
import { checkReply, namedReply, validator } from "../contracts/reading.ts";
import { type Awaitable, isPromise } from "../values/awaitable.ts";

/** Whether anything has to be checked. */
export function hasAnswerChecks(definition: Definition): boolean {
  return definition.reply !== undefined || definition.replies !== undefined;
}

/**
 * Checks a reply by its contract.
 *
 * @returns what the reply's schema makes of it
 * @throws {InvalidMessageError} if it does not satisfy its schema, or is none of the named ones; or rejects with it
 */
export function checkAnswer(definition: Definition, reply: unknown): Awaitable<unknown> {
  if (definition.replies !== undefined) return checkNamed(definition, definition.replies, reply);
  return definition.reply === undefined ? reply : checkReply(definition, definition.reply, reply, "send");
}

function checkNamed(
  definition: Definition,
  replies: Readonly<Record<string, Definition>>,
  reply: unknown,
): Awaitable<unknown> {
  const named = namedReply(definition, replies, reply);
  const validate = validator(named.contract, "send");
  if (validate === undefined) return reply;
  const { kind } = named;
  const message = validate(named.message);
  return isPromise(message) ? message.then((message) => ({ kind, message })) : { kind, message };
}
