/** What may hold an endpoint back. @module */

/**
 * Decides whether an endpoint may start another message: a circuit breaker, a kill switch, a rate limit. It never fails
 * a message: what came waits, unsettled.
 *
 * It is told of each message, not of each attempt: retries in process are inside. The endpoint numbers what it starts
 * and looks at {@linkcode Gate.open} and {@linkcode Gate.blocking} again after each {@linkcode Gate.finished}; when
 * they change by themselves, because time has passed, the gate calls the `changed` that it was created with. No method
 * throws.
 */
export interface Gate {
  /** As in `bus.describe()`: `"circuit breaker"`. */
  readonly name: string;
  /** Whether one more may start now. Synchronous and cheap: asked for every message. */
  open(): boolean;
  /**
   * One has started.
   *
   * @param sequence the endpoint's own number of it, larger than all before. By it a gate tells what started before it
   *   tripped, and says nothing of the time since.
   */
  started(sequence: number): void;
  /**
   * One has finished; once for each that started.
   *
   * @param sequence as it was started with
   * @param error what it failed with, also when it will be redelivered; `undefined` on success
   * @param counted `false`: it says nothing of the handler (unreadable, expired, lost), and a probe is given back
   */
  finished(sequence: number, error: Error | undefined, counted: boolean): void;
  /** Whether the endpoint should ask the broker for nothing at the moment (credit 0). */
  readonly blocking: boolean;
  /** For health: why the endpoint is degraded; `undefined` when it is not. */
  readonly reason: string | undefined;
  /** Cancels timers; `changed` is not called any more. Idempotent. */
  close(): void;
}
