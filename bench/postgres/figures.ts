/** The transactional consumer on PostgreSQL. @module */
import { type Figure, type Measure, program, ratio, single } from "../support/figure.ts";
import { server } from "../support/stores.ts";

const of = (name: string): Measure => program(new URL("./run.ts", import.meta.url), [name]);

/** As `bench/README.md` says what each compares. */
export const figures: readonly Figure[] = [
  ratio("postgres/consumer-vs-naive", of("single"), of("single-naive"), [server]),
  ratio("postgres/consumer-grouped-vs-naive", of("grouped"), of("grouped-naive"), [server]),
  ratio("postgres/collected-vs-naive", of("collected"), of("collected-naive"), [server]),
  single("postgres/consumer-p99-ms", "ms", program(new URL("./latency.ts", import.meta.url)), [server]),
];
