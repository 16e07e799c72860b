/** Drives a gate as an endpoint does. */
import type { Gate } from "../../src/pipeline/gate.ts";

/** Numbers what it starts. */
export class GateDriver {
  readonly #gate: Gate;
  #sequence = 0;

  constructor(gate: Gate) {
    this.#gate = gate;
  }

  /** Starts one; gives the function that finishes it. */
  start(): (error?: Error, counted?: boolean) => void {
    const sequence = ++this.#sequence;
    this.#gate.started(sequence);
    return (error, counted = true) => this.#gate.finished(sequence, error, counted);
  }

  /** Starts and finishes so many, one after the other, for as long as the gate is open; gives how many those were. */
  run(count: number, error?: Error, counted = true): number {
    for (let done = 0; done < count; done++) {
      if (!this.#gate.open()) return done;
      this.start()(error, counted);
    }
    return count;
  }
}
