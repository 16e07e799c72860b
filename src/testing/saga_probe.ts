/** What a test asks of the instances of sagas. @module */
import type { BusObserver, ObservedInstance } from "../pipeline/observers.ts";
import type { Shape, StateOf } from "../sagas/context.ts";
import { HarnessAssertionError } from "./errors.ts";
import type { Timeline } from "./timeline.ts";
import type { VirtualClock } from "./virtual_clock.ts";

/** One thing that has happened to an instance. */
export interface SagaStep {
  /** Milliseconds on the virtual clock since the harness was made. */
  readonly atInMs: number;
  /** What came: `event`, `timeout`, `completed`, `faulted`, `timedOut` or `compensate`. */
  readonly kind: string;
  /** The name of the event or timeout. */
  readonly name: string | undefined;
  /** The transitions that were made, in order. */
  readonly transitions: readonly { readonly from: string; readonly to: string }[];
  /** The state afterwards. */
  readonly state: string;
}

/**
 * The instances that have had an id, as they are so far. Asked again, it looks again. After `settled()` a negative answer
 * is certain.
 */
export interface SagaProbe<S extends Shape> {
  /** Whether there is one, and it is not over. */
  readonly exists: boolean;
  /**
   * Its state; of one that is over, its last.
   *
   * @throws {HarnessAssertionError} if there never was one; it prints the timeline
   */
  readonly state: StateOf<S> | "initial" | "final";
  /**
   * A copy of what it holds; of one that is over, what it held last.
   *
   * @throws {HarnessAssertionError} if there never was one; it prints the timeline
   */
  readonly data: S["data"];
  /** What has happened to it, and to those before it of the same id, in order; whether its saga keeps it or not. */
  readonly history: readonly SagaStep[];
  /**
   * There never was one.
   *
   * @throws {HarnessAssertionError} if there was; it prints the timeline
   */
  never(): void;
}

interface Known {
  readonly steps: SagaStep[];
  last: ObservedInstance;
}

/** What a harness has seen of instances. */
export class SagaProbes {
  readonly #clock: VirtualClock;
  readonly #timeline: Timeline;
  readonly #start: number;
  /** By saga and id. */
  readonly #known = new Map<string, Known>();
  readonly #sagas = new Set<string>();

  constructor(clock: VirtualClock, timeline: Timeline) {
    this.#clock = clock;
    this.#timeline = timeline;
    this.#start = clock.now();
  }

  /** To be told of them. */
  get observer(): BusObserver {
    return { instance: (instance) => this.#add(instance) };
  }

  #add(instance: ObservedInstance): void {
    const { saga, id, kind, name, transitions, state } = instance;
    this.#sagas.add(saga);
    const step: SagaStep = { atInMs: this.#clock.now() - this.#start, kind, name, transitions, state };
    const known = this.#known.get(nameOf(saga, id));
    if (known === undefined) {
      this.#known.set(nameOf(saga, id), { steps: [step], last: instance });
      return;
    }
    known.steps.push(step);
    known.last = instance;
  }

  /** Whether anything has happened to an instance of a saga. */
  knows(saga: string): boolean {
    return this.#sagas.has(saga);
  }

  /** @param saga its name */
  of<S extends Shape>(saga: string, id: string): SagaProbe<S> {
    const find = (): Known | undefined => this.#known.get(nameOf(saga, id));
    const needed = (): ObservedInstance => {
      const known = find();
      if (known !== undefined) return known.last;
      throw new HarnessAssertionError(`an instance "${id}" of "${saga}"`, 0, String(this.#timeline));
    };
    return {
      get exists() {
        return find()?.last.over === false;
      },
      get state() {
        return needed().state as SagaProbe<S>["state"]; // its saga's own
      },
      get data() {
        return needed().data as S["data"]; // as its rules have left it
      },
      get history() {
        return [...find()?.steps ?? []];
      },
      never: () => {
        const count = find()?.steps.length ?? 0;
        if (count === 0) return;
        throw new HarnessAssertionError(`nothing to happen to "${id}" of "${saga}"`, count, String(this.#timeline));
      },
    };
  }
}

/** A saga's name has no such character. */
function nameOf(saga: string, id: string): string {
  return `${saga}\u0000${id}`;
}
