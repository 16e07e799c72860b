/** Time, injected. @module */

/**
 * Time as the library sees it. The system's by default, a virtual one in tests: nothing in the library reads the wall
 * clock or sets a timer by other means.
 */
export interface Clock {
  /** Epoch milliseconds. */
  now(): number;
  /**
   * Runs `run` once, never before `time` (epoch milliseconds), however far off (a plain timer holds 2^31 ms); soon, if
   * `time` is past. Where time is set back meanwhile, best when as long has passed as there was until `time`: else all
   * that waits stands still for as long as that. `run` must not throw.
   *
   * @returns a function that cancels; does nothing once `run` has begun
   */
  at(time: number, run: () => void): () => void;
  /**
   * Milliseconds that have passed since whenever, whole ones, however the time is set meanwhile: timeouts are counted by
   * it. Left out: `now()`, by which they end late or early where that is set.
   *
   * @param now what `now()` has just told, if it was asked
   */
  elapsed?(now?: number): number;
  /**
   * A view of the same time for waits that hold up no delivery (delays, redelivery, schedules): a test harness does not
   * wait for those. Left out: this clock itself.
   */
  readonly background?: Clock;
  /**
   * A view of the same time for timeouts, which end what should have ended by itself: a test harness lets that come
   * first. Left out: this clock itself.
   */
  readonly timeouts?: Clock;
}
