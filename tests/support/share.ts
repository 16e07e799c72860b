/** How much of the long tests is run. */
import process from "node:process";
import { runtime } from "./runner.ts";

/**
 * How many seeds a simulation goes through: all on Deno, a quarter elsewhere. A seed decides all that happens, so that
 * the same ones bring the same to light on each runtime.
 *
 * @param all on Deno
 */
export function seeds(all: number): number {
  return runtime === "deno" ? all : Math.ceil(all / 4);
}

/**
 * How many of something a long test does: all, or the share that `HERO_FAILURE_SHARE` says, as in `0.1`; at least one.
 *
 * @param all when nothing is said
 * @throws {Error} if the share is no number above 0, up to 1
 */
export function share(all: number): number {
  const said = process.env["HERO_FAILURE_SHARE"] ?? "1";
  const part = Number(said);
  if (!(part > 0 && part <= 1)) {
    throw new Error(`HERO_FAILURE_SHARE is "${said}". Say a number above 0, up to 1, as in 0.1`);
  }
  return Math.max(1, Math.ceil(all * part));
}
