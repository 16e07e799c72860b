/** A day of the shop, as a program of its own. */
import { assertEquals, assertMatch } from "@std/assert";
import { type Ended, run } from "./program.ts";

/** Runs the program, and gives its status and what it said. */
export function day(...args: readonly string[]): Promise<Ended> {
  return dayUntil(undefined, ...args);
}

/** The same; kills the program once it has said that. */
export function dayUntil(said: RegExp | undefined, ...args: readonly string[]): Promise<Ended> {
  return run("orders", ["--orders", "60", ...args], { until: said });
}

/** That it went as it should. */
export function balances({ status, output }: Ended): void {
  assertMatch(output, /the worker is killed, \d+ of 60[^]*every order has its outcome[^]*it balances to the cent/);
  assertEquals(status, 0);
}
