/** What units of work have left, sent. @module */
import { type Figure, type Measure, program, ratio, shown } from "../support/figure.ts";
import { highest, lowest } from "../support/worst.ts";
import { server } from "../support/stores.ts";

const drain = (...args: readonly string[]): Measure => program(new URL("./drain.ts", import.meta.url), args);
const flat = (store: string, rows: number): Measure =>
  program(new URL("./flat.ts", import.meta.url), [store, String(rows)]);

/** As many times as long as with one row. */
const growth = (store: string): Measure => async (setting) => {
  const one = await flat(store, 1)(setting);
  const more = [await flat(store, 100_000)(setting), await flat(store, 5_000_000)(setting)];
  console.error(`  ${store}: ${[one, ...more].map(shown).join(", ")} us a row`);
  return Math.max(...more) / one;
};

/** As `bench/README.md` says what each compares. */
export const figures: readonly Figure[] = [
  ratio("outbox/drain-vs-bare", drain("postgres", "unhandled"), drain("bare"), [server]),
  lowest("outbox/drain", "per second", (store) => drain(store, "handled")),
  { ...highest("outbox/flat-backlog", "ratio", growth, ["sqlite", "postgres"]), runs: 3 },
];
