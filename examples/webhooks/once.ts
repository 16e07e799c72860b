/** Delivery is at least once. This middleware lets what has been handled not be handled again. */
import type { Middleware } from "@hero/messaging";

/** Remembers, in memory, what has succeeded; a service that must not forget keeps that with its data. */
export function once(): Middleware {
  const handled = new Set<string>();
  return async (ctx, next) => {
    if (handled.has(ctx.messageId)) return;
    await next();
    handled.add(ctx.messageId);
  };
}
