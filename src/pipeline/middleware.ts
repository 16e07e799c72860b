/** Middleware around handlers. @module */
import { ConfigurationError } from "../errors/configuration.ts";
import { shown } from "../errors/shown.ts";
import { isPromise } from "../values/awaitable.ts";
import type { ConsumeContext, Middleware, SendMiddleware } from "./context.ts";

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
  const outermost = middleware.reduceRight(step<Context>, handled(innermost));
  return (context) => {
    const passage: Passage<Context> = { context, reply: undefined };
    const { promise } = outermost(passage);
    return promise === done.promise ? passage.reply : promise.then(() => passage.reply);
  };
}

/** One message on its way through the middleware. */
interface Passage<out Context> {
  readonly context: Context;
  reply: unknown;
}

/** A middleware and all that is within it, or the handler. Never throws: what throws, and what rejects, are the same. */
type Step<in Context> = (passage: Passage<Context>) => Running;

/** What was let run. */
interface Running {
  readonly promise: Promise<void>;
  readonly over: boolean;
}

/** Of all that was over at once: where middleware hands it on, there is nothing to wait for. */
const done: Running = { promise: Promise.resolve(), over: true };

/** What goes on by itself. Its one promise also tells that it is over: another for that would cost half as much again. */
class Waiting implements Running {
  readonly promise: Promise<void>;
  over = false;

  /** @param rest gives what must have ended, too; `undefined`: nothing */
  constructor(result: PromiseLike<unknown>, rest: (value: unknown) => Promise<unknown> | undefined) {
    this.promise = Promise.resolve(result).then((value) => {
      const left = rest(value);
      if (left !== undefined) return left.then(() => void (this.over = true), (error) => this.#fail(error));
      this.over = true;
    }, (error) => this.#fail(error));
  }

  #fail(error: unknown): never {
    this.over = true;
    // Whoever awaits it gets its rejection; where nobody does, it must not end the process.
    this.promise.catch(() => {});
    throw error;
  }
}

function handled<Context>(handle: Handle<Context>): Step<Context> {
  return (passage) => {
    try {
      const result = handle(passage.context);
      if (isPromise(result)) {
        return new Waiting(result, (value) => {
          passage.reply = value;
          return undefined;
        });
      }
      passage.reply = result;
      return done;
    } catch (thrown) {
      return failed(thrown);
    }
  };
}

/** Over at once, and to be handled as what rejects. */
function failed(thrown: unknown): Running {
  const promise = Promise.reject(thrown);
  promise.catch(() => {});
  return { promise, over: true };
}

/** Puts a middleware around what is within it. What it hands on as it is costs nothing more. */
function step<Context extends ConsumeContext>(inner: Step<Context>, middleware: Middleware): Step<Context> {
  return (passage) => {
    let first: Running | undefined;
    let others: Running[] | undefined;
    try {
      const result = middleware(passage.context, () => {
        const running = inner(passage);
        if (first === undefined) first = running;
        else (others ??= []).push(running);
        return running.promise;
      });
      if (first !== undefined && others === undefined && result === (first as Running).promise) return first;
      return new Waiting(result, () => {
        // A `next()` that came late is among them.
        const left = [first, ...others ?? []].filter((each) => each !== undefined && !each.over);
        return left.length === 0 ? undefined : Promise.all(left.map((each) => each?.promise));
      });
    } catch (thrown) {
      return failed(thrown);
    }
  };
}

/**
 * From JavaScript it may be anything, and would fail each message.
 *
 * @throws {ConfigurationError} if it is no function
 */
export function checkedMiddleware<M extends Middleware | SendMiddleware>(middleware: M, bus: string): M {
  if (typeof middleware === "function") return middleware;
  throw new ConfigurationError(
    `Cannot add middleware to the bus "${bus}": it must be a function, and is ${shown(middleware)}`,
  );
}
