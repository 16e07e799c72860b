/** Middleware around handlers. @module */
import { isPromise } from "../values/awaitable.ts";
import type { ConsumeContext, Middleware } from "./context.ts";

/** A handler, as middleware sees it: throws, or rejects, as it does; gives what it gives. */
export type Handle<in Context> = (context: Context) => unknown;

/**
 * Puts middleware around a handler, the first outermost. The handler's reply passes the middleware by: what that
 * resolves with is nobody's.
 */
export function around<Context extends ConsumeContext>(
  middleware: readonly Middleware[],
  innermost: Handle<Context>,
): Handle<Context> {
  if (middleware.length === 0) return innermost;
  return (context) => {
    let reply: unknown;
    const step = (index: number): Promise<void> => {
      const next = middleware[index];
      // What throws, and what rejects, are the same to middleware further out.
      try {
        if (next !== undefined) return next(context, () => step(index + 1));
        const result = innermost(context);
        if (isPromise(result)) return Promise.resolve(result).then((value) => void (reply = value));
        reply = result;
        return Promise.resolve();
      } catch (thrown) {
        return Promise.reject(thrown);
      }
    };
    return step(0).then(() => reply);
  };
}
