/** What the types cost an application's compiler. @module */
import { peers } from "../peers/mod.ts";
import { type Figure, program, single } from "../support/figure.ts";

/** The same number whenever it is counted: once is enough. */
export const figures: readonly Figure[] = [
  {
    ...single("types/instantiations", "instantiations", program(new URL("./run.ts", import.meta.url)), [peers]),
    runs: 1,
  },
  {
    ...single(
      "types/instantiations-sagas",
      "instantiations",
      program(new URL("./run.ts", import.meta.url), ["sagas"]),
      [
        peers,
      ],
    ),
    runs: 1,
  },
];
