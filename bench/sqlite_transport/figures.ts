/** Queues in a SQLite file, beside what a user would pick instead. @module */
import { type Figure, type Measure, program, ratio, single } from "../support/figure.ts";
import { peers } from "../peers/mod.ts";
import { redis } from "./redis.ts";

const of = (file: string, ...options: readonly string[]): Measure => program(new URL(file, import.meta.url), options);

/** As `bench/README.md` says what each compares. */
export const figures: readonly Figure[] = [
  single("sqlite-transport/throughput", "per second", of("./run.ts", "full")),
  single("sqlite-transport/p99-ms", "ms", of("./latency.ts", "one")),
  single("sqlite-transport/p99-cross-ms", "ms", of("./latency.ts", "two")),
  ratio("sqlite-transport/vs-bullmq", of("./run.ts", "full"), of("./bullmq.ts", "everysec"), [peers, redis]),
  ratio("sqlite-transport/vs-bullmq-always", of("./run.ts", "full"), of("./bullmq.ts", "always"), [peers, redis]),
  // A million jobs are queued first.
  { ...single("sqlite-transport/flat-backlog", "ratio", of("./flat.ts")), runs: 3 },
];
