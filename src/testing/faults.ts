/** What goes wrong in a simulation, and how often. @module */
import { ConfigurationError } from "../errors/configuration.ts";
import { checkOptionNames, type OptionNames } from "../values/option_names.ts";
import type { Random } from "../values/random.ts";

/** What can go wrong in a simulation. */
export type Fault = "drop" | "duplicate" | "delay" | "reorder" | "crash" | "fail";

/** `true`: as often as usual. A number: the chance each time, from 0 to 1. Left out, or `false`: never. */
export interface Faults {
  /**
   * The connection breaks, and is there again at once: what was delivered and not settled comes again, and what was
   * settled meanwhile is not. At each call of the transport; usually 0.002.
   */
  readonly drop?: boolean | number;
  /** A message is sent twice, under one id. Of each message; usually 0.02. */
  readonly duplicate?: boolean | number;
  /** What is sent, delivered, confirmed or settled is so up to a second later. Each time; usually 0.1. */
  readonly delay?: boolean | number;
  /** What is delivered together comes in another order, but for messages of one key. Each time; usually 0.2. */
  readonly reorder?: boolean | number;
  /**
   * An instance dies: what it still does has no effect, and another takes its place after a time. Before and after each
   * call of the transport, at each timer, and at each call of a handler's context; usually 0.001.
   */
  readonly crash?: boolean | number;
  /** A message, or a settlement that sends one on, fails, its fate unknown. Each time; usually 0.01. */
  readonly fail?: boolean | number;
}

const usual: Readonly<Record<Fault, number>> = {
  drop: 0.002,
  duplicate: 0.02,
  delay: 0.1,
  reorder: 0.2,
  crash: 0.001,
  fail: 0.01,
};
const all = Object.keys(usual) as readonly Fault[]; // the keys of a record of all faults
const faultNames: OptionNames<Faults> = {
  drop: true,
  duplicate: true,
  delay: true,
  reorder: true,
  crash: true,
  fail: true,
};
const none: Readonly<Record<Fault, number>> = { drop: 0, duplicate: 0, delay: 0, reorder: 0, crash: 0, fail: 0 };

/** How often each fault happens. */
export type Rates = Readonly<Record<Fault, number>>;

/**
 * The chance of each fault.
 *
 * @param faults left out: all, as often as usual
 * @throws {ConfigurationError} if a chance is not one, or there is no such fault
 */
export function ratesOf(faults: Faults | undefined): Rates {
  if (faults === undefined) return usual;
  checkOptionNames(faults, faultNames, "{ faults }");
  const rates = { ...none };
  for (const fault of all) {
    const given = faults[fault] ?? false;
    const rate = given === true ? usual[fault] : given === false ? 0 : given;
    if (!(rate >= 0 && rate <= 1)) {
      throw new ConfigurationError(`Cannot let "${fault}" happen with the chance ${rate}: give a number from 0 to 1`);
    }
    rates[fault] = rate;
  }
  return rates;
}

/** How often each fault has happened. */
export type FaultCounts = Readonly<Record<Fault, number>>;

/** Decides what goes wrong. One for a whole simulated application: its order of decisions follows from the seed. */
export class Dice {
  readonly counts: Record<Fault, number> = { ...none };
  readonly #rates: Rates;
  readonly #random: Random;

  constructor(rates: Rates, random: Random) {
    this.#rates = rates;
    this.#random = random;
  }

  /** Whether the fault happens now; counts it. */
  happens(fault: Fault): boolean {
    const rate = this.#rates[fault];
    if (rate === 0 || this.#random() >= rate) return false;
    this.counts[fault]++;
    return true;
  }

  /** A whole number from `low`, below `high`. */
  between(low: number, high: number): number {
    return low + Math.floor(this.#random() * (high - low));
  }

  /** Heads or tails. */
  coin(): boolean {
    return this.#random() < 0.5;
  }
}
