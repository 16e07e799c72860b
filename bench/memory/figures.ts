/** The bus over the in-memory transport. @module */
import { compared, type Figure, type Measure, program, ratio, single } from "../support/figure.ts";

const of = (name: string): Measure => program(new URL("./run.ts", import.meta.url), [name]);
// 512 MB each of two halves: some ten times what a run allocates.
const youngGeneration = ["--expose-gc", "--min-semi-space-size=512", "--max-semi-space-size=512"];

/** As `bench/README.md` says what each compares. */
export const figures: readonly Figure[] = [
  single("memory/throughput", "per second", of("reference")),
  ratio("memory/serialized-vs-json", of("orders"), of("json")),
  single("memory/p99-ms", "ms", program(new URL("./latency.ts", import.meta.url))),
  single("memory/alloc-bytes", "bytes", program(new URL("./alloc.ts", import.meta.url), [], youngGeneration), [
    (runtime) =>
      Promise.resolve(
        runtime === "bun" ? "Bun's engine does not say what was allocated between collections" : undefined,
      ),
  ]),
  compared("memory/middleware-cost", "fraction", of("middleware-5"), of("middleware-0"), (a, b) => b / a - 1),
  compared("memory/flat-endpoints", "ratio", of("endpoints-1000"), of("endpoints-1"), (a, b) => b / a),
  compared("memory/flat-backlog", "ratio", of("backlog-1000000"), of("backlog-1"), (a, b) => b / a),
  single("memory/rpc", "per second", of("rpc")),
];
