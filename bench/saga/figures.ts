/** Sagas: the machine alone, and on a bus. @module */
import { peers } from "../peers/mod.ts";
import { compared, type Figure, type Measure, program, ratio, single } from "../support/figure.ts";
import { server } from "../support/stores.ts";

const of = (name: string): Measure => program(new URL("./run.ts", import.meta.url), [name]);
const latency = (store: string): Measure => program(new URL("./latency.ts", import.meta.url), [store]);
const machine = (name: string): Measure => program(new URL("./machine.ts", import.meta.url), [name]);

/** Rates, and rates over rates. */
export const figures: readonly Figure[] = [
  // Both take events of two kinds to and fro between two states, each with a guard and a change of the data.
  ratio("saga/vs-xstate", machine("machine"), machine("xstate"), [peers]),
  single("saga/memory", "per second", of("reference")),
  single("saga/hot-writes", "writes", program(new URL("./hot.ts", import.meta.url))),
  compared("saga/flat-instances", "ratio", of("among-1000000"), of("among-1000"), (many, few) => few / many),
  single("saga/sqlite-p99-ms", "ms", latency("sqlite")),
  single("saga/postgres-p99-ms", "ms", latency("postgres"), [server]),
  ratio("saga/postgres-vs-naive", of("postgres"), of("postgres-naive"), [server]),
];
