/** Sagas: the machine alone, and on a bus. @module */
import { peers } from "../peers/mod.ts";
import { type Figure, type Measure, program, ratio } from "../support/figure.ts";

const machine = (name: string): Measure => program(new URL("./machine.ts", import.meta.url), [name]);

/** Rates, and rates over rates. */
export const figures: readonly Figure[] = [
  // Both take events of two kinds to and fro between two states, each with a guard and a change of the data.
  ratio("saga/vs-xstate", machine("machine"), machine("xstate"), [peers]),
];
