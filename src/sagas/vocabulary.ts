/** What the rules of one saga may name. @module */
import { ConfigurationError } from "../errors/configuration.ts";
import { shown } from "../errors/shown.ts";
import type { Step } from "./definition.ts";

/** The names of a saga while its rules are written. */
export class Vocabulary {
  readonly saga: string;
  /** What functions gave that write steps: each is called once, so that its undos are known to be the same. */
  readonly sequences: WeakMap<object, readonly Step[]> = new WeakMap();
  /** The undos down to which compensations go. */
  readonly points: string[] = [];
  readonly #states: readonly string[];
  readonly #events: readonly string[];
  readonly #timeouts: readonly string[];
  #closed = false;

  constructor(saga: string, states: readonly string[], events: readonly string[], timeouts: readonly string[]) {
    this.saga = saga;
    this.#states = states;
    this.#events = events;
    this.#timeouts = timeouts;
  }

  /** Rules that are written from now on would not be seen. */
  close(): void {
    this.#closed = true;
  }
  checkOpen(where: string): void {
    if (!this.#closed) return;
    throw new ConfigurationError(
      `Cannot add to ${where} of the saga "${this.saga}": it has been made. Write all rules in the function of saga()`,
    );
  }
  checkState(name: unknown, where: string, also?: string): string {
    return name === also && also !== undefined ? also : this.#check(name, this.#states, "state", where);
  }
  checkEvent(name: unknown, where: string): string {
    return this.#check(name, this.#events, "event", where);
  }
  checkTimeout(name: unknown, where: string): string {
    return this.#check(name, this.#timeouts, "timeout", where);
  }

  #check(name: unknown, known: readonly string[], what: string, where: string): string {
    if (typeof name === "string" && known.includes(name)) return name;
    throw new ConfigurationError(
      `Cannot use the ${what} ${shown(name)} in ${where} of the saga "${this.saga}": there is none of that name. ` +
        `It has ${known.map((each) => `"${each}"`).join(", ") || "none"}`,
    );
  }
}
