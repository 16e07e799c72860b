/** The transactional consumer on SQLite. @module */
import { type Figure, type Measure, program, ratio, single } from "../support/figure.ts";

const of = (name: string): Measure => program(new URL("./run.ts", import.meta.url), [name]);

/** As `bench/README.md` says what each compares. */
export const figures: readonly Figure[] = [
  ratio("sqlite/consumer-vs-bare", of("normal"), of("bare")),
  single("sqlite/consumer-p99-ms", "ms", program(new URL("./latency.ts", import.meta.url))),
  single("sqlite/consumer-full", "per second", of("full")),
  single("sqlite/loop-lag-ms", "ms", program(new URL("./loop_lag.ts", import.meta.url))),
];
