/** What a message's options must be: types say so, JavaScript does not. @module */
import type { Definition } from "../contracts/definition.ts";
import { checkId } from "../envelope/ids.ts";
import { ConfigurationError } from "../errors/configuration.ts";
import { shown } from "../errors/shown.ts";
import { InvalidMessageError } from "../errors/sending.ts";
import { type Duration, milliseconds } from "../values/duration.ts";
import { otherThanObject } from "../values/kind_of.ts";
import type { SendKind } from "./context.ts";
import type { SendOptions } from "./sending.ts";

const right = { command: "Send", event: "Publish", query: "Request" } as const;

/**
 * Who sends an event, or publishes a command, would lose it in silence.
 *
 * @throws {ConfigurationError}
 */
export function checkKind(kind: SendKind, definition: Definition): void {
  if (kind === "publish" ? definition.kind === "event" : kind !== "send" || definition.kind === "command") return;
  throw new ConfigurationError(
    `Cannot ${kind} "${definition.name}": it is ${definition.kind === "event" ? "an" : "a"} ${definition.kind}. ` +
      `${right[definition.kind]} it`,
  );
}

/** @throws {InvalidIdError} */
export function checkIds({ messageId, correlationId }: SendOptions<unknown>, definition: Definition): void {
  if (messageId !== undefined) checkId(definition.name, "messageId", messageId);
  if (correlationId !== undefined) checkId(definition.name, "correlationId", correlationId);
}

/**
 * Without a schema, a message is at least an object: whoever receives it refuses all else, so it is not sent.
 *
 * @throws {InvalidMessageError}
 */
export function checkPlain({ name }: Definition, message: unknown): void {
  const what = otherThanObject(message);
  if (what === undefined) return;
  throw new InvalidMessageError(name, "send", [`it is ${what}, and without a schema a message is an object`]);
}

/** @throws {InvalidMessageError} if a key is not text */
export function checkKey(definition: Definition, key: unknown): string {
  if (typeof key === "string") return key;
  throw new InvalidMessageError(definition.name, "send", [`its key is ${shown(key)}, and must be text`]);
}

/** @throws {ConfigurationError} if a priority is not whole, from 0 to 255 */
export function checkPriority(definition: Definition, priority: number): number {
  if (Number.isInteger(priority) && priority >= 0 && priority <= 255) return priority;
  throw new ConfigurationError(
    `Cannot send "${definition.name}" with the priority ${shown(priority)}: it must be whole, from 0 to 255`,
  );
}

/**
 * A time to live in whole milliseconds.
 *
 * @throws {ConfigurationError} if it is 0, {@linkcode InvalidDurationError} if it is none
 */
export function checkTtl(definition: Definition, ttl: Duration): number {
  const time = milliseconds(ttl, "{ ttl }");
  if (time > 0) return time;
  throw new ConfigurationError(`Cannot send "${definition.name}" with a ttl of 0: it would have expired. Give it more`);
}
