/** Hands messages to their handlers. @module */
import { definitionOf } from "../contracts/definition.ts";
import { checkHeaders } from "../envelope/headers.ts";
import { ConfigurationError, UnsupportedError } from "../errors/configuration.ts";
import { HandlersFailedError } from "../errors/receiving.ts";
import { NoHandlerError, RequestTimeoutError } from "../errors/sending.ts";
import type { Clock } from "../spi/clock.ts";
import { isPromise } from "../values/awaitable.ts";
import { type Duration, milliseconds } from "../values/duration.ts";
import { callOptionsError } from "../pipeline/call_options.ts";
import { checkAnswer } from "./answer.ts";
import { type AnyOptions, Call, type Dispatching, joined, type Origin } from "./call.ts";
import { MediatedContext } from "./mediated_context.ts";
import { type Plan, Plans } from "./plans.ts";

/** One for all calls whose handlers gave no promise: it holds nothing. */
const done: Promise<void> = Promise.resolve();

/** The deadline of a request. */
interface Limit {
  readonly signal: AbortSignal;
  readonly expiresAt: number;
}

/** Hands messages to their handlers, in the caller's own call: no promise, and no object but a context, of its own. */
export class Dispatcher implements Dispatching {
  readonly name: string;
  readonly newId: () => string;
  readonly plans: Plans = new Plans();
  readonly #clock: Clock;

  constructor(name: string, clock: Clock, newId: () => string) {
    this.name = name;
    this.newId = newId;
    this.#clock = clock;
  }

  tell(
    kind: "command" | "event",
    contract: unknown,
    message: unknown,
    options: AnyOptions | undefined,
    origin: Origin | undefined,
  ): Promise<unknown> {
    // Not async: what the handler gives is handed on, and a promise of our own would cost more than all the rest.
    try {
      const plan = this.plans.known(contract) ?? this.#plan(contract, kind === "event" ? "publish" : "send");
      if (plan.kind !== kind) throw wrongKind(plan, kind === "event" ? "publish" : "send");
      const call = options === undefined && origin === undefined ? undefined : this.#call(plan, options, origin, false);
      const { sole } = plan;
      const result = sole === undefined
        ? this.#validated(plan, message, call)
        : sole(message, new MediatedContext(this, plan.definition, message, call));
      if (result instanceof Promise) return result;
      return isPromise(result) ? Promise.resolve(result) : done;
    } catch (thrown) {
      return Promise.reject(thrown);
    }
  }

  ask(
    contract: unknown,
    message: unknown,
    options: AnyOptions | undefined,
    origin: Origin | undefined,
  ): Promise<unknown> {
    try {
      const timeout = options?.timeout;
      return timeout === undefined
        ? this.#ask(contract, message, options, origin, undefined)
        : this.#askWithin(timeout, contract, message, options, origin);
    } catch (thrown) {
      return Promise.reject(thrown);
    }
  }

  #ask(
    contract: unknown,
    message: unknown,
    options: AnyOptions | undefined,
    origin: Origin | undefined,
    limit: Limit | undefined,
  ): Promise<unknown> {
    const plan = this.plans.known(contract) ?? this.#plan(contract, "request");
    if (plan.kind === "event") throw wrongKind(plan, "request");
    const call = this.#call(plan, options, origin, true, limit);
    const { sole } = plan;
    const result = sole === undefined
      ? this.#validated(plan, message, call)
      : sole(message, new MediatedContext(this, plan.definition, message, call));
    const reply = (given: unknown): unknown => {
      if (call.answer !== undefined) return call.answer.reply;
      return plan.checksAnswer ? checkAnswer(plan.definition, given) : given;
    };
    return isPromise(result) ? Promise.resolve(result).then(reply) : Promise.resolve(reply(result));
  }

  #askWithin(
    timeout: Duration,
    contract: unknown,
    message: unknown,
    options: AnyOptions | undefined,
    origin: Origin | undefined,
  ): Promise<unknown> {
    const timeoutInMs = milliseconds(timeout, "{ timeout } of a request");
    const { name } = definitionOf(contract, "the contract to request");
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const controller = new AbortController();
    const expiresAt = this.#clock.now() + timeoutInMs;
    const answer = this.#ask(contract, message, options, origin, { signal: controller.signal, expiresAt });
    const cancel = (this.#clock.timeouts ?? this.#clock).at(expiresAt, () => {
      const error = new RequestTimeoutError(name, this.name, timeoutInMs);
      reject(error);
      controller.abort(error);
    });
    answer.finally(cancel).then(resolve, reject);
    return promise;
  }

  #plan(contract: unknown, doing: "send" | "publish" | "request"): Plan {
    return this.plans.make(definitionOf(contract, `the contract to ${doing}`));
  }

  /** @throws what the caller's options deserve; the signal's reason if it has aborted */
  #call(
    { definition, kind }: Plan,
    options: AnyOptions | undefined,
    origin: Origin | undefined,
    asked: boolean,
    limit?: Limit,
  ): Call {
    if (options !== undefined) {
      if (options.headers !== undefined) checkHeaders(options.headers, definition.name);
      for (const [option, instead] of refused) {
        if (options[option] === undefined) continue;
        throw new UnsupportedError(
          this.name,
          `{ ${option} } for "${definition.name}": a mediator has no queue`,
          instead,
        );
      }
      const error = callOptionsError(asked ? "request" : kind === "event" ? "publish" : "send", options, this.name);
      if (error !== undefined) throw error;
    }
    const signal = joined(options?.signal, origin?.passedSignal);
    signal?.throwIfAborted();
    return new Call(options, origin, joined(signal, limit?.signal), asked, limit?.expiresAt);
  }

  #validated(plan: Plan, message: unknown, call: Call | undefined): unknown {
    if (plan.runs.length === 0 && plan.kind !== "event") throw new NoHandlerError(plan.definition.name, this.name);
    if (plan.validate === undefined) return this.#run(plan, message, call);
    const valid = plan.validate(message);
    if (!isPromise(valid)) return this.#run(plan, valid, call);
    return valid.then((value) => {
      call?.signal?.throwIfAborted();
      return this.#run(plan, value, call);
    });
  }

  #run(plan: Plan, message: unknown, call: Call | undefined): unknown {
    const { runs } = plan;
    const [first] = runs;
    if (first === undefined) return undefined;
    const context = new MediatedContext(this, plan.definition, message, call);
    return runs.length === 1 ? first(message, context) : runAll(plan, message, context);
  }
}

/** One that fails does not keep the others from running. */
async function runAll({ definition, runs, answering }: Plan, message: unknown, context: MediatedContext) {
  const errors: unknown[] = [];
  let answer: unknown;
  for (const [index, run] of runs.entries()) {
    try {
      let result = run(message, context);
      if (isPromise(result)) result = await result;
      if (index === answering) answer = result;
    } catch (thrown) {
      errors.push(thrown);
    }
  }
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) throw new HandlersFailedError(definition.name, context.endpoint, errors);
  return answer;
}

/** What a caller cannot have without a queue, and what to do instead. */
const refused = [
  ["to", "Leave it out: the contract's handler gets it. To reach another process, send it on a bus"],
  ["delay", "Leave it out, or send it on a bus"],
  ["tx", "Leave it out, or send it on a bus with a store"],
] as const;

function wrongKind({ definition, kind }: Plan, doing: "send" | "publish" | "request"): ConfigurationError {
  const what = kind === "event"
    ? "an event has no owner. Publish it"
    : kind === "query"
    ? "a query is asked for its answer. Request it"
    : "a command has one owner. Send it";
  return new ConfigurationError(`Cannot ${doing} "${definition.name}": ${what}`);
}
