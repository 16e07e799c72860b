/** What is asked before a unit begins. @module */
import type { BusKey } from "./inbox.ts";
import type { BusInstance } from "./sagas.ts";
import type { SqlRow } from "./sql_client.ts";

/** So many questions are on their way at once: who waits for one has not begun, while the server may have nothing to do. */
const mostFlights = 4;

/** What one unit wants to know. */
export interface Wanted {
  readonly keys: readonly BusKey[];
  readonly instances: readonly BusInstance[];
}

/** What is known of it. */
export interface Known {
  /** Which of the keys were handled. */
  readonly handled: readonly boolean[];
  /** The instances, as they were, to be read by who has asked: one may be damaged. `undefined`: not there. */
  readonly rows: readonly (SqlRow | undefined)[];
}

/** One who asks. */
interface Question extends Wanted {
  readonly resolve: (known: Known) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Asks whether messages were handled, and for instances of sagas. All who ask in one turn share a flight, and all who ask
 * while as many as there may be are under way share the next.
 */
export class Lookups {
  readonly #ask: (wanted: Wanted) => Promise<readonly SqlRow[]>;
  #questions: Question[] = [];
  #flights = 0;
  #gathering = false;

  /**
   * @param ask gives the numbers, from 1, of the keys that were handled, and the rows of instances, each behind its
   * number
   */
  constructor(ask: (wanted: Wanted) => Promise<readonly SqlRow[]>) {
    this.#ask = ask;
  }

  /** Asks. */
  find(wanted: Wanted): Promise<Known> {
    const { promise, resolve, reject } = Promise.withResolvers<Known>();
    this.#questions.push({ ...wanted, resolve, reject });
    if (!this.#gathering && this.#flights < mostFlights) void this.#gather();
    return promise;
  }

  async #gather(): Promise<void> {
    this.#gathering = true;
    await undefined; // what is asked in the same tick goes together
    this.#gathering = false;
    this.#flights++;
    while (this.#questions.length > 0) await this.#answer(this.#questions.splice(0));
    this.#flights--; // in the very turn in which nobody was left
  }

  async #answer(questions: readonly Question[]): Promise<void> {
    try {
      const wanted = {
        keys: questions.flatMap(({ keys }) => keys),
        instances: questions.flatMap(({ instances }) => instances),
      };
      const handled = new Set<number>();
      const found = new Map<number, SqlRow>();
      for (const [n, ...row] of await this.#ask(wanted)) {
        if (row[0] == null) handled.add(Number(n));
        else found.set(Number(n), row);
      }
      let [key, instance] = [0, 0];
      for (const { keys, instances, resolve } of questions) {
        resolve({ handled: keys.map(() => handled.has(++key)), rows: instances.map(() => found.get(++instance)) });
      }
    } catch (error) {
      for (const { reject } of questions) reject(error);
    }
  }
}
