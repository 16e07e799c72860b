/** The library's own part of a process' start. @module */
import { compared, type Figure, type Measure } from "../support/figure.ts";
import { commandOf, execute } from "../support/runtimes.ts";

const until = (file: string): Measure => async ({ runtime }) => {
  const { firstByteMs } = await execute(commandOf(runtime, { file: new URL(file, import.meta.url) }));
  return firstByteMs;
};
const started = until("./start.ts");

/** From the start of the process to the first byte on stdout, less that of a program without the library. */
export const figures: readonly Figure[] = [
  {
    ...compared("core/start-ms", "ms", started, until("./nothing.ts"), (a, b) => a - b),
    // A difference of two small numbers, each a process' start: more of them, as they are cheap.
    runs: 15,
    needs: [async (runtime) => {
      await started({ runtime, scale: 1 }); // fills the module cache
      return undefined;
    }],
  },
];
