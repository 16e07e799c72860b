/** Every order in which things may happen. @module */
import { ConfigurationError } from "../errors/configuration.ts";
import { toError } from "../errors/thrown.ts";
import { type Awaitable, isPromise } from "../values/awaitable.ts";
import { checkOptionNames, type OptionNames } from "../values/option_names.ts";
import { ExplorationError } from "./errors.ts";
import { createTestHarness } from "./create_harness.ts";
import type { TestHarness } from "./harness.ts";
import type { HarnessOptions } from "./harness_options.ts";

/** What may happen, and how often. */
export interface ExploreOptions<in out Tx = undefined> {
  /** What is under test: made anew for each order, so that nothing is left of the one before. */
  readonly harness: () => HarnessOptions<Tx>;
  /** What may happen, by name: messages that come, time that passes. After each, everything settles. */
  readonly steps: Readonly<Record<string, (harness: TestHarness<Tx>) => Awaitable<unknown>>>;
  /** How many steps, in all, may happen once more in one order. 1. */
  readonly repeats?: number;
  /** How many orders are tried at most, the shortest first. 10,000. */
  readonly limit?: number;
}

/** One order, so far. */
export interface Exploring {
  /** The steps that were taken, by name. */
  readonly order: readonly string[];
  /** Whether each step has been taken at least once. */
  readonly complete: boolean;
}

/** What was tried. */
export interface Exploration {
  /** How many orders, of all lengths. */
  readonly orders: number;
  /** False: the limit was reached, and longer orders were left out. */
  readonly exhaustive: boolean;
}

const optionNames: OptionNames<ExploreOptions> = { harness: true, steps: true, repeats: true, limit: true };
const mostOrders = 10_000;

/**
 * Takes steps in every order, also some of them and some twice, and asks after each whether all is as it must be. The
 * shortest orders come first, so that what fails is the shortest that does.
 *
 * @param invariant what it throws, or the text that it gives, is what is wrong
 * @returns what was tried, if the invariant held each time
 * @throws {ExplorationError} for the first order after which it does not hold, or a step fails, with its timeline
 * @throws {ConfigurationError} if there are no steps, or a bound is none
 * @example
 * ```ts
 * import { command, consumer } from "@hero/messaging";
 * import { explore } from "@hero/messaging/testing";
 *
 * const Deposit = command<{ amount: number }>("account.deposit");
 * const Withdraw = command<{ amount: number }>("account.withdraw");
 * let balance = 0;
 *
 * await explore({
 *   harness: () => {
 *     balance = 0;
 *     return {
 *       consumers: [
 *         consumer(Deposit, ({ amount }) => void (balance += amount)),
 *         consumer(Withdraw, ({ amount }) => void (balance -= Math.min(balance, amount))),
 *       ],
 *     };
 *   },
 *   steps: {
 *     deposit: (harness) => harness.send(Deposit, { amount: 5 }),
 *     withdraw: (harness) => harness.send(Withdraw, { amount: 5 }),
 *   },
 * }, () => {
 *   if (balance < 0) return "the account is overdrawn";
 * });
 * ```
 */
export async function explore<Tx = undefined>(
  options: ExploreOptions<Tx>,
  invariant: (harness: TestHarness<Tx>, exploring: Exploring) => Awaitable<string | void>,
): Promise<Exploration> {
  checkOptionNames(options, optionNames, "explore()");
  const { harness, steps = {}, repeats = 1, limit = mostOrders } = options;
  if (typeof harness !== "function" || typeof invariant !== "function") {
    throw new ConfigurationError(
      `Cannot explore without ${typeof harness === "function" ? "an invariant" : "{ harness }"}. ` +
        `Write explore({ harness: () => ({ consumers }), steps: { pay: (harness) => … } }, (harness) => { … })`,
    );
  }
  const none = Object.entries(steps).find(([, step]) => typeof step !== "function");
  if (none !== undefined) {
    throw new ConfigurationError(`Cannot take the step "${none[0]}": it is no function. Write (harness) => …`);
  }
  const names = Object.keys(steps);
  if (names.length === 0) {
    throw new ConfigurationError(
      "Cannot explore without a step: there would be nothing to order. Give { steps } at least one",
    );
  }
  if (!Number.isSafeInteger(repeats) || repeats < 0 || !Number.isSafeInteger(limit) || limit < 1) {
    throw new ConfigurationError(
      `Cannot explore ${limit} orders with ${repeats} repeated steps. Give whole numbers: a limit from 1, repeats from 0`,
    );
  }
  let orders = 0;
  for (const order of inLength(names, repeats)) {
    if (orders >= limit) return { orders, exhaustive: false };
    await tryOne(options, order, names.every((name) => order.includes(name)), invariant);
    orders++;
  }
  return { orders, exhaustive: true };
}

/** All orders, the shorter ones first. */
function* inLength(names: readonly string[], repeats: number): Generator<readonly string[]> {
  let level: readonly (readonly string[])[] = [[]];
  for (let length = 1; length <= names.length + repeats; length++) {
    const next: (readonly string[])[] = [];
    for (const order of level) {
      const left = repeats - (order.length - new Set(order).size);
      for (const name of names) if (left > 0 || !order.includes(name)) next.push([...order, name]);
    }
    yield* next;
    level = next;
  }
}

async function tryOne<Tx>(
  { harness: make, steps }: ExploreOptions<Tx>,
  order: readonly string[],
  complete: boolean,
  invariant: (harness: TestHarness<Tx>, exploring: Exploring) => Awaitable<string | void>,
): Promise<void> {
  const made: HarnessOptions<Tx> = make();
  if (isPromise(made)) {
    throw new ConfigurationError(
      `Cannot explore what { harness } gives: it is a promise. Give what createTestHarness takes, not what it makes`,
    );
  }
  const harness = await createTestHarness(made);
  const fail = (problem: string, cause?: unknown): never => {
    throw new ExplorationError(order, problem, harness.timeline().toString(), cause === undefined ? {} : { cause });
  };
  try {
    try {
      for (const name of order) {
        await steps[name]?.(harness);
        await harness.settled();
      }
    } catch (thrown) {
      const error = toError(thrown);
      fail(`A step failed: ${error.message}`, error);
    }
    let problem: string | void;
    try {
      problem = await invariant(harness, { order, complete });
    } catch (thrown) {
      const error = toError(thrown);
      return fail(`The invariant does not hold: ${error.message}`, error);
    }
    if (typeof problem === "string") fail(`The invariant does not hold: ${problem}`);
  } finally {
    await harness[Symbol.asyncDispose]();
  }
}
