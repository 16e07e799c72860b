/** Middleware around handlers. @module */
import { isPromise } from "../values/awaitable.ts";
import type { ConsumeContext, Middleware } from "./context.ts";

/** A handler, as middleware sees it: throws, or rejects, as it does; gives what it gives. */
export type Handle<in Context> = (context: Context) => unknown;

/**
 * Puts middleware around a handler, the first outermost. The handler's reply passes the middleware by: what that
 * resolves with is nobody's. What a middleware let run and did not await is waited for all the same: it is part of the
 * message, and fails it.
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
        if (next !== undefined) return run(next, context, () => step(index + 1));
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

/** Runs one middleware; what it hands on as it is costs nothing more. */
function run(middleware: Middleware, context: ConsumeContext, next: () => Promise<void>): Promise<void> {
  let first: Promise<void> | undefined;
  let others: Inner[] | undefined;
  const result = middleware(context, () => {
    const inner = next();
    if (first === undefined) first = inner;
    else (others ??= []).push(new Inner(inner));
    return inner;
  });
  if (result === first && first !== undefined) return result;
  const known = first === undefined ? undefined : new Inner(first);
  return result.then(() => {
    // A `next()` that came late is in `first` alone.
    const all = [known ?? (first === undefined ? undefined : new Inner(first)), ...others ?? []];
    const running = all.filter((each) => each !== undefined && !each.settled);
    return running.length === 0 ? undefined : Promise.all(running.map((each) => each?.promise)).then(() => {});
  });
}

/** What a middleware let run. Whoever awaits it gets its rejection; where nobody does, it must not end the process. */
class Inner {
  readonly promise: Promise<void>;
  settled = false;

  constructor(promise: Promise<void>) {
    this.promise = promise;
    const end = (): void => void (this.settled = true);
    promise.then(end, end);
  }
}
