/** A million messages that are scheduled. @module */
import type { Figure, Measure } from "../support/figure.ts";
import { program } from "../support/figure.ts";
import { highest, lowest } from "../support/worst.ts";

const of = (...args: readonly string[]): Measure => program(new URL("./run.ts", import.meta.url), args);

/** As many times as long as with one that is pending. */
const growth = (store: string): Measure => async (setting) => {
  const one = await of("poll", store, "1")(setting);
  return await of("poll", store)(setting) / one;
};

/** As `bench/README.md` says what each compares. */
export const figures: readonly Figure[] = [
  lowest("schedule/insert", "per second", (store) => of("insert", store)),
  highest("schedule/flat-pending", "ratio", growth),
  lowest("schedule/fire", "per second", (store) => of("fire", store)),
  highest("schedule/lateness-p99-ms", "ms", (store) => of("lateness", store)),
];
