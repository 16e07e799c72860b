/** What the consume pipeline is made of. @module */
import type { Consumption } from "./consumption.ts";

/** Does its part with a message; synchronous where it can be. Throws, or rejects, to let the message fail. */
export type Run = (consumption: Consumption) => void | Promise<void>;

/** A stage of the consume pipeline, around the ones further in. */
export interface Stage {
  /** As `bus.describe()` lists it. */
  readonly name: string;
  /** Called once, when the endpoint starts. */
  around(next: Run): Run;
}

/** Puts stages around one another, the first outermost. */
export function compose(stages: readonly Stage[], innermost: Run): Run {
  return stages.reduceRight((next, stage) => stage.around(next), innermost);
}
