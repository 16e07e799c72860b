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
    const passage = new Passage(middleware, innermost, context);
    const result = passage.step(0);
    return result === done ? passage.reply : result.then(() => passage.reply);
  };
}

/** Of all that was over at once: where middleware hands it on, there is nothing to wait for. */
const done: Promise<void> = Promise.resolve();

/** One message on its way through the middleware. */
class Passage<Context extends ConsumeContext> {
  reply: unknown;
  readonly #middleware: readonly Middleware[];
  readonly #innermost: Handle<Context>;
  readonly #context: Context;

  constructor(middleware: readonly Middleware[], innermost: Handle<Context>, context: Context) {
    this.#middleware = middleware;
    this.#innermost = innermost;
    this.#context = context;
  }

  step(index: number): Promise<void> {
    const middleware = this.#middleware[index];
    // What throws, and what rejects, are the same to middleware further out.
    try {
      return middleware === undefined ? this.#handle() : this.#run(middleware, index + 1);
    } catch (thrown) {
      return Promise.reject(thrown);
    }
  }

  #handle(): Promise<void> {
    const result = this.#innermost(this.#context);
    if (isPromise(result)) return Promise.resolve(result).then((value) => void (this.reply = value));
    this.reply = result;
    return done;
  }

  /** Runs one middleware; what it hands on as it is costs nothing more. */
  #run(middleware: Middleware, following: number): Promise<void> {
    let first: Promise<void> | undefined;
    let others: Inner[] | undefined;
    const result = middleware(this.#context, () => {
      const inner = this.step(following);
      if (first === undefined) first = inner;
      else (others ??= []).push(new Inner(inner));
      return inner;
    });
    if (result === first && others === undefined && first !== undefined) return result;
    const known = first === undefined ? undefined : new Inner(first);
    return result.then(() => {
      // A `next()` that came late is in `first` alone.
      const all = [known ?? (first === undefined ? undefined : new Inner(first)), ...others ?? []];
      const running = all.filter((each) => each !== undefined && !each.settled);
      return running.length === 0 ? undefined : Promise.all(running.map((each) => each?.promise)).then(() => {});
    });
  }
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
