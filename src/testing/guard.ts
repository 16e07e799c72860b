/** What handlers do in a simulation, between life and death. @module */
import type { ConsumeContext, Middleware } from "../pipeline/context.ts";
import type { Life } from "./life.ts";

const calls = [
  "publish",
  "send",
  "request",
  "respond",
  "schedule",
  "unschedule",
  "defer",
  "redeliver",
  "forward",
] as const;

/** Any of the calls, as one that is passed on. */
type Call = (...given: unknown[]) => unknown;

/**
 * Lets an instance crash at each call of a handler's context, before and after it, and where a handler begins and ends.
 * The context stays the object that the library knows: what it can do is replaced on it.
 */
export function guard(life: Life): Middleware {
  return async (context, next) => {
    guardCalls(context, life);
    life.cross("handler");
    await next();
    life.cross("handled");
  };
}

function guardCalls(context: ConsumeContext, life: Life): void {
  const own = context as unknown as Record<string, unknown>; // a context of the library: its methods are replaceable
  for (const name of calls) {
    const call = own[name];
    if (typeof call !== "function") continue;
    own[name] = async (...given: unknown[]) => {
      life.cross(`ctx.${name}`);
      const result = await (call as Call).apply(context, given);
      life.cross(`after ctx.${name}`);
      return result;
    };
  }
}
