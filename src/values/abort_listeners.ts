/** Many waits on one signal. @module */

/** Told of an abort. */
export type AbortListener = (signal: AbortSignal) => void;

/**
 * Listens to signals, once to each however many wait for it: runtimes look through all of a signal's listeners to take
 * one out, so that ten thousand requests with one signal would cost ten thousand steps each.
 */
export class AbortListeners {
  readonly #waiting = new WeakMap<AbortSignal, Set<AbortListener>>();
  readonly #aborted = ({ target }: Event): void => {
    if (!(target instanceof AbortSignal)) return;
    const listeners = this.#waiting.get(target);
    this.#waiting.delete(target);
    for (const listener of listeners ?? []) listener(target);
  };

  /** Tells `listener` when the signal aborts, which it has not yet. */
  add(signal: AbortSignal, listener: AbortListener): void {
    let listeners = this.#waiting.get(signal);
    if (listeners === undefined) {
      this.#waiting.set(signal, listeners = new Set());
      signal.addEventListener("abort", this.#aborted, { once: true });
    }
    listeners.add(listener);
  }

  /** Tells it nothing more. The last one leaves nothing on the signal. */
  remove(signal: AbortSignal, listener: AbortListener): void {
    const listeners = this.#waiting.get(signal);
    if (listeners === undefined || !listeners.delete(listener) || listeners.size > 0) return;
    this.#waiting.delete(signal);
    signal.removeEventListener("abort", this.#aborted);
  }
}
