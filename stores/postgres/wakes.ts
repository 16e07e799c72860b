/** Who waits for rows. @module */
import type { Statement } from "./statement.ts";

/** Whoever waits for rows, or is told of them; `at` is by this process' clock, in epoch milliseconds. */
export type Wake = (table: string, bus: string, at: number) => void;

/** Those who wait for rows, within this process. */
export class Wakes {
  readonly #waiting = new Set<Wake>();

  add(wake: Wake): void {
    this.#waiting.add(wake);
  }
  delete(wake: Wake): void {
    this.#waiting.delete(wake);
  }
  /** Tells all who wait for these. */
  tell(table: string, bus: string, at: number): void {
    for (const wake of [...this.#waiting]) wake(table, bus, at);
  }
}

/** What processes tell each other: where to look. Longer ones than PostgreSQL takes say that all should look. */
export function notice(table: string, bus: string): string {
  const text = JSON.stringify([table, bus]);
  return new TextEncoder().encode(text).length < 8_000 ? text : "";
}

/** Says something to all who listen, once the transaction is committed. */
export function saying(channel: string, text: string): Statement {
  return { text: "SELECT pg_notify($1::text, $2::text)", values: [channel, text] };
}

/** Reads such a notice; `undefined`: whoever waits should look. */
export function readNotice(text: string): readonly [table: string, bus: string] | undefined {
  try {
    const [table, bus] = JSON.parse(text) as readonly unknown[]; // or not even that
    return typeof table === "string" && typeof bus === "string" ? [table, bus] : undefined;
  } catch {
    return undefined;
  }
}
