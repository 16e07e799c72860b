/** What handlers do in a simulation, between life and death. @module */
import { aroundBatches, type BatchMiddleware } from "../pipeline/around_batches.ts";
import type { Middleware } from "../pipeline/context.ts";
import type { Life } from "./life.ts";

/** Calls that give a promise. */
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
/** Calls that do not. */
const instantCalls = ["fail"] as const;

/** Any of the calls, as one that is passed on. */
type Call = (...given: unknown[]) => unknown;

/**
 * Lets an instance crash at each call of a handler's context, before and after it, and where a handler begins and ends;
 * of a batch handler alike. Where a handler reaches for `ctx.tx` it may crash by its store.
 */
export function guard(life: Life): BatchMiddleware {
  const each: Middleware = async (context, next) => {
    guardCalls(context, life);
    life.cross("handler");
    await next();
    life.cross("handled");
  };
  return Object.assign(each, {
    [aroundBatches]:
      (handler: Parameters<BatchMiddleware[typeof aroundBatches]>[0]) =>
      async (...[batch, context]: Parameters<typeof handler>) => {
        guardCalls(context, life);
        life.cross("batch handler");
        await handler(batch, context);
        life.cross("batch handled");
      },
  });
}

/** The context stays the object that the library knows: what it can do is replaced on it. */
function guardCalls(context: object, life: Life): void {
  const own = context as Record<string, unknown>; // a context of the library: its methods are replaceable
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
  for (const name of instantCalls) {
    const call = own[name];
    if (typeof call !== "function") continue;
    own[name] = (...given: unknown[]) => {
      life.cross(`ctx.${name}`);
      (call as Call).apply(context, given);
      life.cross(`after ctx.${name}`);
    };
  }
}
