/** A whole application, run from a seed, with everything that can go wrong. @module */
import { ConfigurationError } from "../errors/configuration.ts";
import { toError } from "../errors/thrown.ts";
import type { Awaitable } from "../values/awaitable.ts";
import { checkOptionNames, type OptionNames } from "../values/option_names.ts";
import { type Random, seededRandom } from "../values/random.ts";
import { SimulationError } from "./errors.ts";
import { type FaultCounts, type Faults, type Rates, ratesOf } from "./faults.ts";
import { turn } from "./turn.ts";
import { SimulatedWorld, type World } from "./world.ts";

/** What a simulation may say. */
export interface SimulationOptions {
  /** Those to run: 1 to so many, or these. The seed in an error, alone, shows it again. */
  readonly seeds: number | Iterable<number>;
  /** What goes wrong. Left out: all, as often as usual. */
  readonly faults?: Faults;
  /** How many timers may fire for one seed, before it counts as never coming to rest. 100,000. */
  readonly timers?: number;
}

/** What a simulation has run through. */
export interface SimulationReport {
  /** How many seeds were run. */
  readonly seeds: number;
  /** In how many of them an instance crashed. */
  readonly crashedSeeds: number;
  /** How often each fault has happened, in all of them. */
  readonly faults: FaultCounts;
  /** How many messages were delivered to handlers, in all of them. */
  readonly deliveries: number;
}

/** Sets an application up and lets it work: `await world.instance(…)`, `await world.send(…)`. */
export type Scenario = (world: World) => Awaitable<unknown>;
/** Looks at a world that has come to rest. What it throws, or the text it gives, is what is wrong. */
export type Invariant = (world: World) => Awaitable<string | void>;

const mostTimers = 100_000;
const optionNames: OptionNames<SimulationOptions> = { seeds: true, faults: true, timers: true };

/**
 * Runs a scenario once for each seed, in a world of its own: several instances on one broker, a virtual clock, and
 * faults. All chance follows from the seed, so that the same seed shows the same on one runtime, to the byte of its
 * timeline, as long as handlers wait for nothing but messages, `instance.delay()` and promises. When nothing is under
 * way any more, the invariant is asked.
 *
 * @returns what was run through, if all invariants held
 * @throws {SimulationError} for the first seed that fails, with its timeline
 * @throws {ConfigurationError} if a fault's chance is none, or there is no seed
 * @example
 * ```ts
 * import { command } from "@hero/messaging";
 * import { simulate } from "@hero/messaging/testing";
 *
 * const Count = command<{ id: number }>("count");
 * const report = await simulate({ seeds: 100 }, async (world) => {
 *   await world.instance("counter", (bus, instance) => {
 *     bus.endpoint("counter").handle(Count, ({ id }) => instance.ledger<number>("counted").append(id));
 *   });
 *   for (let id = 0; id < 10; id++) await world.send(Count, { id });
 * }, (world) => {
 *   if (new Set(world.ledger<number>("counted").entries).size < 10) return "A message was lost";
 * });
 * console.log(report.crashedSeeds);
 * ```
 */
export async function simulate(
  options: SimulationOptions,
  scenario: Scenario,
  invariant: Invariant,
): Promise<SimulationReport> {
  checkOptionNames(options, optionNames, "a simulation");
  const rates = ratesOf(options.faults);
  const total = { seeds: 0, crashedSeeds: 0, deliveries: 0 };
  const faults = { drop: 0, duplicate: 0, delay: 0, reorder: 0, crash: 0, fail: 0 };
  for (const seed of seedsOf(options.seeds)) {
    const world = await run(seed, rates, scenario, invariant, options.timers ?? mostTimers);
    total.seeds++;
    if (world.faults.crash > 0) total.crashedSeeds++;
    total.deliveries += world.timeline().entries.filter(({ what }) => what === "received").length;
    for (const fault of Object.keys(faults) as (keyof FaultCounts)[]) faults[fault] += world.faults[fault];
  }
  // Else a test of nothing would pass.
  if (total.seeds === 0) {
    throw new ConfigurationError(`Cannot simulate without seeds. Give how many, or a list of them`);
  }
  return { ...total, faults };
}

function* seedsOf(seeds: SimulationOptions["seeds"] | undefined): Generator<number> {
  if (typeof seeds !== "number") return yield* seeds ?? [];
  for (let seed = 1; seed <= seeds; seed++) yield seed;
}

async function run(
  seed: number,
  rates: Rates,
  scenario: Scenario,
  invariant: Invariant,
  timers: number,
): Promise<SimulatedWorld> {
  const world = new SimulatedWorld(seed, rates);
  const fail = (problem: string, cause?: unknown): never => {
    throw new SimulationError(seed, problem, world.timeline().toString(), cause === undefined ? undefined : { cause });
  };
  const played = new Play(world.start().then(() => scenario(world)));
  const stuck = await rest(world, played, timers);
  const { failure } = world;
  if (failure !== undefined) fail(failure.problem, failure.error);
  if (played.error !== undefined) fail(`the scenario failed: ${played.error.message}`, played.error);
  if (stuck !== undefined) fail(stuck);
  let problem: string | void;
  try {
    problem = await invariant(world);
  } catch (thrown) {
    const error = toError(thrown);
    return fail(`the invariant does not hold: ${error.message}`, error);
  }
  if (typeof problem === "string") fail(`the invariant does not hold: ${problem}`);
  return world;
}

/** A scenario that is being played. */
class Play {
  over = false;
  error: Error | undefined;

  constructor(scenario: Promise<unknown>) {
    scenario.then(() => this.over = true, (thrown) => {
      this.over = true;
      this.error = toError(thrown);
    });
  }
}

/** Lets time pass until nothing more happens. Gives what keeps that from coming. */
async function rest(world: SimulatedWorld, play: Play, timers: number): Promise<string | undefined> {
  const { clock } = world;
  const pace = paceOf(seededRandom(world.seed + 0.1));
  for (let fired = 0; fired < timers; fired++) {
    await pace();
    if (play.error !== undefined || world.failure !== undefined) return undefined;
    if (clock.step()) continue;
    // All that can go on without time shall go on before the world is said to be at rest.
    await turn();
    if (clock.next() !== undefined) continue;
    const unfinished = world.unfinished();
    if (!play.over) return `the scenario waits for what never comes. ${unfinished.join("; ")}`;
    return unfinished.length === 0 ? undefined : `it never comes to rest: ${unfinished.join("; ")}`;
  }
  return `it does not come to rest: ${timers} timers have fired. ${world.unfinished().join("; ")}`;
}

/** Mostly all goes as far as it can before time passes on; now and then time is faster. */
function paceOf(random: Random): () => Promise<void> {
  return async () => {
    const steps = Math.floor(random() * 40);
    if (steps >= 10) return await turn();
    for (let step = 0; step <= steps; step++) await undefined;
  };
}
