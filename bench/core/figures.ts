/** The library's own part of a process' start. @module */
import { compared, type Figure, type Requirement } from "../support/figure.ts";
import { commandOf, execute, type RuntimeName } from "../support/runtimes.ts";
import { installedApp } from "./installed_app.ts";

const firstByte = async (runtime: RuntimeName, file: URL): Promise<number> =>
  (await execute(commandOf(runtime, { file }))).firstByteMs;

/** From the start of the process to the first byte on stdout, less that of a program without the library. */
function start(name: string, folder: () => URL | Promise<URL>): Figure {
  const until = (file: string) => async ({ runtime }: { readonly runtime: RuntimeName }): Promise<number> =>
    await firstByte(runtime, new URL(file, await folder()));
  const fillCache: Requirement = async (runtime) => {
    await firstByte(runtime, new URL("./start.ts", await folder()));
    return undefined;
  };
  return {
    ...compared(name, "ms", until("./start.ts"), until("./nothing.ts"), (a, b) => a - b, [fillCache]),
    // A difference of two small numbers, each a process' start: more of them, as they are cheap.
    runs: 15,
  };
}

/** What users install, and what it is made of. */
export const figures: readonly Figure[] = [
  start("core/start-ms", installedApp),
  start("core/start-source-ms", () => new URL("./", import.meta.url)),
];
