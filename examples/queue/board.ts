/** A table that lives: redrawn in place on a terminal, a line now and then elsewhere. */
import process from "node:process";
import type { Progress } from "./ledger.ts";

const width = 30;
const lineEveryMs = 1_000;

/** What is shown. */
export interface Shown extends Progress {
  readonly jobs: number;
  readonly workers: readonly { readonly name: string; readonly killed: boolean }[];
}

/** Writes to standard output. */
export class Board {
  readonly #begin: number = performance.now();
  readonly #lives: boolean = process.stdout.isTTY === true;
  /** How many lines it has drawn that are to be drawn over. */
  #drawn = 0;
  #lastLine = -Infinity;

  /** Shows how far it is. */
  show({ jobs, waiting, active, delayed, done, givenUp, byWorker, workers }: Shown): void {
    const now = performance.now();
    if (!this.#lives && now - this.#lastLine < lineEveryMs) return;
    this.#lastLine = now;
    const cell = (name: string, count: number): string => `${name} ${String(count).padStart(6)}`;
    const counts = [
      cell("waiting", waiting),
      cell("in hand", active),
      cell("later", delayed),
      cell("done", done),
      cell("given up", givenUp),
    ].join("   ");
    const of = (name: string): number => byWorker.get(name) ?? 0;
    if (!this.#lives) {
      const each = workers.map(({ name, killed }) => `${of(name)}${killed ? " (killed)" : ""}`).join(" + ");
      console.log(`${this.#time()}   ${counts}   = ${each}`);
      return;
    }
    const bar = (count: number): string => "█".repeat(Math.round(width * count / Math.max(1, jobs))).padEnd(width, "·");
    const lines = [
      `${this.#time()}   ${counts}`,
      ...workers.map(({ name, killed }) =>
        `  ${name.padEnd(10)} ${bar(of(name))} ${String(of(name)).padStart(6)}${killed ? "   killed" : ""}`
      ),
    ];
    this.#wipe();
    console.log(lines.join("\n"));
    this.#drawn = lines.length;
  }

  /** Says what has happened; that stays. */
  say(what: string): void {
    this.#wipe();
    console.log(`${this.#time()}   ${what}`);
  }

  /** Leaves what is shown as it is: what follows goes below it. */
  end(): void {
    this.#drawn = 0;
  }

  #wipe(): void {
    if (this.#drawn > 0) process.stdout.write(`\x1b[${this.#drawn}A\x1b[J`);
    this.#drawn = 0;
  }

  #time(): string {
    return `${((performance.now() - this.#begin) / 1_000).toFixed(1).padStart(5)} s`;
  }
}
