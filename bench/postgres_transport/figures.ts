/** Queues in PostgreSQL. @module */
import { peers } from "../peers/mod.ts";
import { compared, type Figure, type Measure, program, ratio, single } from "../support/figure.ts";
import { server } from "../support/stores.ts";

const of = (name: string): Measure => program(new URL("./run.ts", import.meta.url), [name]);
const p99 = (side: string): Measure => program(new URL("./latency.ts", import.meta.url), [side]);
/** The better of the two, one after the other. */
const bestPeer: Measure = async (setting) =>
  Math.min(await p99("pg-boss")(setting), await p99("graphile-worker")(setting));
const both = [server, peers];

/** As `bench/README.md` says what each compares. */
export const figures: readonly Figure[] = [
  single("pg-transport/throughput", "per second", of("ours"), [server]),
  ratio("pg-transport/vs-pg-boss", of("ours"), of("pg-boss"), both),
  ratio("pg-transport/vs-graphile-worker", of("ours"), of("graphile-worker"), both),
  ratio("pg-transport/enlist-gain", of("enlisted"), of("outbox"), [server]),
  ratio("pg-transport/enlist-gain-collected", of("enlisted-collected"), of("outbox-collected"), [server]),
  single("pg-transport/p99-ms", "ms", p99("ours"), [server]),
  compared("pg-transport/p99-vs-best", "ratio", p99("ours"), bestPeer, (a, b) => a / b, both),
  {
    ...compared("pg-transport/flat-backlog", "ratio", of("empty"), of("backlog"), (a, b) => a / b, [server]),
    runs: 3,
  },
];
