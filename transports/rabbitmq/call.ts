/** Calls of `settle`. @module */

/** One call of `settle`: resolves once the broker has heard of all of it. */
export class Call {
  readonly promise: Promise<void>;
  readonly #resolve: () => void;
  readonly #reject: (reason: Error) => void;
  #left = 1;
  #failure: Error | undefined;

  constructor() {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.promise = promise;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** One more to wait for. */
  add(): void {
    this.#left++;
  }

  /** One less; the first error is that of the call. */
  done(failure?: Error): void {
    this.#failure ??= failure;
    if (--this.#left > 0) return;
    if (this.#failure === undefined) this.#resolve();
    else this.#reject(this.#failure);
  }
}
