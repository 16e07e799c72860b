/** What answers the requests of a saga: what comes, and what is in it. @module */
import { define, type Definition, definitionOf } from "../../contracts/definition.ts";
import { faultDefinition } from "../../contracts/fault.ts";
import type { ExceptionInfo } from "../../errors/exception_info.ts";
import { isReplyTo, replyType, saysNothing } from "../../pipeline/reply.ts";
import { parseMessageType } from "../../envelope/message_type.ts";
import type { Schema } from "../../values/schema.ts";
import type { SagaDefinition } from "../definition.ts";

/** Lets any value pass: unlike a message, a reply need not be an object. */
const anything: Schema = {
  "~standard": { version: 1, vendor: "@hero/messaging/reply", validate: (value) => ({ value }) },
};

/** The contracts by which answers to the requests of a saga come: replies and faults. */
export function answersOf({ requests }: SagaDefinition): readonly Definition[] {
  const answers = new Map<string, Definition>();
  const add = (definition: Definition): void => void answers.set(definition.name, definition);
  for (const { contract } of requests.values()) {
    const definition = definitionOf(contract, "the contract of a saga's request");
    for (const reply of Object.values(definition.replies ?? {})) add(reply);
    // A service that only knows its base answers as that.
    for (let at: Definition | undefined = definition; at !== undefined; at = at.base) {
      if (definition.replies === undefined) add(replyDefinition(at, definition));
      add(faultDefinition(at));
    }
  }
  return [...answers.values()];
}

function replyDefinition(of: Definition, asked: Definition): Definition {
  return define({ kind: "event", name: replyType(of), local: true }, { schema: asked.reply ?? anything });
}

/** An answer, as the machine gets it. */
export type Answer =
  | { readonly kind: "completed"; readonly message: unknown }
  | { readonly kind: "faulted"; readonly message: { readonly error: ExceptionInfo } };

/**
 * What an answer says; `undefined`: it is none to that request.
 *
 * @param asked the contract of the request
 * @param types the `hero-type` of the answer
 * @param message as it was read
 */
export function answerTo(asked: Definition, types: string, message: unknown): Answer | undefined {
  const names = parseMessageType(types);
  const own = names[0]?.name ?? "";
  if (own.startsWith("fault:")) return { kind: "faulted", message: { error: exceptionOf(message) } };
  if (asked.replies === undefined) {
    if (!isReplyTo(asked, own)) return undefined;
    return { kind: "completed", message: message === null && saysNothing(types) ? undefined : message };
  }
  // The most specific first: one of the replies may be the base of another.
  for (const { name } of names) {
    const named = Object.entries(asked.replies).find(([, contract]) => contract.name === name);
    if (named !== undefined) return { kind: "completed", message: { kind: named[0], message } };
  }
  return undefined;
}

function exceptionOf(fault: unknown): ExceptionInfo {
  if (typeof fault === "object" && fault !== null && "exceptions" in fault && Array.isArray(fault.exceptions)) {
    const [first]: readonly unknown[] = fault.exceptions;
    if (typeof first === "object" && first !== null && "type" in first && "message" in first) {
      if (typeof first.type === "string" && typeof first.message === "string") return first as ExceptionInfo;
    }
  }
  return { type: "Error", message: "The fault names no exception" };
}
