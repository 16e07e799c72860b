/**
 * What a job costs, sent and handled, with 1,000,000 queued before it, over what it costs with none. In turns on two
 * files, so that a machine that is busy for a minute slows both.
 *
 * @module
 */
import type { Bus } from "../../mod.ts";
import { abreast, Consumed } from "../support/flow.ts";
import { finish, scaled } from "../support/program.ts";
import { temporaryFile } from "../support/stores.ts";
import { job, startBus, Work } from "./work.ts";

const SENDERS = 500;
const ROUNDS = 10;

/** Sends and handles so many; gives the milliseconds that it took. What stands before them is handled in their stead. */
type Round = (count: number) => Promise<number>;

/** Lets so many pass; the others wait, taken and not handled. */
class Turnstile {
  #left = 0;
  #waiting: PromiseWithResolvers<void> | undefined;

  let(count: number): void {
    this.#left += count;
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }

  pass(): void | Promise<void> {
    if (this.#left === 0) return this.#wait();
    this.#left--;
  }

  async #wait(): Promise<void> {
    while (this.#left === 0) await (this.#waiting ??= Promise.withResolvers<void>()).promise;
    this.#left--;
  }
}

async function standing(backlog: number): Promise<Round> {
  const consumed = new Consumed();
  const turnstile = new Turnstile();
  const bus = await startBus(temporaryFile(), () => {
    const passing = turnstile.pass();
    if (passing === undefined) consumed.one();
    else return passing.then(() => consumed.one());
  });
  await fill(bus, backlog);
  return async (count) => {
    const done = consumed.expect(count);
    const begin = performance.now();
    turnstile.let(count);
    await abreast(SENDERS, count, (i) => bus.send(Work, job(i)));
    await done;
    return performance.now() - begin;
  };
}

async function fill(bus: Bus, count: number): Promise<void> {
  for (let first = 0; first < count; first += 5_000) {
    await Promise.all(
      Array.from({ length: Math.min(5_000, count - first) }, (_, at) => bus.send(Work, job(first + at))),
    );
  }
}

const [many, none] = [await standing(scaled(1_000_000)), await standing(0)];
const count = scaled(10_000);
await many(count);
await none(count);
let withMany = 0;
let withNone = 0;
for (let round = 0; round < ROUNDS; round++) {
  withMany += await many(count);
  withNone += await none(count);
}
finish(withMany / withNone);
