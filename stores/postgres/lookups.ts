/** Asks whether messages were handled. @module */
import type { BusKey } from "./inbox.ts";
import type { SqlRow } from "./sql_client.ts";

/** One who asks. */
interface Question {
  readonly keys: readonly BusKey[];
  readonly resolve: (handled: readonly boolean[]) => void;
  readonly reject: (error: unknown) => void;
}

/** Many questions of one tick are one statement. */
export class Lookups {
  readonly #ask: (keys: readonly BusKey[]) => Promise<readonly SqlRow[]>;
  #questions: Question[] = [];

  /** @param ask gives the numbers, from 1, of those that were handled */
  constructor(ask: (keys: readonly BusKey[]) => Promise<readonly SqlRow[]>) {
    this.#ask = ask;
  }

  /** Which of them were handled. */
  find(keys: readonly BusKey[]): Promise<readonly boolean[]> {
    const { promise, resolve, reject } = Promise.withResolvers<readonly boolean[]>();
    this.#questions.push({ keys, resolve, reject });
    if (this.#questions.length === 1) queueMicrotask(() => this.#answer());
    return promise;
  }

  async #answer(): Promise<void> {
    const questions = this.#questions;
    this.#questions = [];
    try {
      const found = new Set((await this.#ask(questions.flatMap(({ keys }) => keys))).map(([n]) => Number(n)));
      let n = 0;
      for (const { keys, resolve } of questions) resolve(keys.map(() => found.has(++n)));
    } catch (error) {
      for (const { reject } of questions) reject(error);
    }
  }
}
