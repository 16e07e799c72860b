/** Errors of a bus' life. @module */
import { HeroError } from "./hero_error.ts";

/** The bus has not been started yet. */
export class NotStartedError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_NOT_STARTED";
  /**
   * Puts it into words.
   *
   * @param doing what was asked of it
   */
  constructor(bus: string, doing: string) {
    super(`Cannot ${doing} on the bus "${bus}": it is not started. Await bus.start() first`, {
      details: { bus, doing },
    });
  }
}

/** The bus is stopping or has stopped. */
export class StoppedError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_STOPPED";
  /**
   * Puts it into words.
   *
   * @param doing what was asked of it
   */
  constructor(bus: string, doing: string, options?: ErrorOptions) {
    super(`Cannot ${doing === "start" ? "start" : `${doing} on`} the bus "${bus}": it has stopped. Create a new one`, {
      ...options,
      details: { bus, doing },
    });
  }
}

/** `bus.start({ signal })` took longer than its signal, as `AbortSignal.timeout` makes it, allows. */
export class StartTimeoutError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_START_TIMEOUT";
  /**
   * Puts it into words.
   *
   * @param awaited what has said why it is waited for, as in `transport rabbitmq`; `undefined`: nothing has
   * @param options `cause`: what that has said, else the signal's reason
   */
  constructor(bus: string, awaited: string | undefined, { cause }: { readonly cause: Error }) {
    super(
      `Cannot start the bus "${bus}" in the time that its signal allows: ${
        awaited === undefined
          ? "what it waits for has not said why. Look whether"
          : `it waits for the ${awaited}, which says: ${cause.message}. Mend that, or look whether`
      } its broker and database answer, or allow more time`,
      { cause, details: { bus, ...(awaited === undefined ? {} : { awaited }) } },
    );
  }
}

/** The bus is running: what was asked must be said before `start()`. */
export class AlreadyStartedError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_ALREADY_STARTED";
  /**
   * Puts it into words.
   *
   * @param doing what was asked of it
   */
  constructor(bus: string, doing: string) {
    super(
      doing === "start"
        ? `Cannot start the bus "${bus}" again: it has been started. Start it once`
        : `Cannot ${doing} on the bus "${bus}": it has been started. ` +
          `Do so before bus.start(), or connect a consumer with bus.connect()`,
      { details: { bus, doing } },
    );
  }
}

/** Why `ctx.signal` aborts when the deadline of `bus.stop()` has passed. */
export class StopDeadlineError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_STOP_DEADLINE";
  /**
   * Puts it into words.
   *
   * @param bus its name
   */
  constructor(bus: string) {
    super(
      `The bus "${bus}" stopped before this handler was done: its message goes back to its queue. Stop now. ` +
        `If the handler itself has called bus.stop(), let it not await that: the stop waits for the handler`,
      { details: { bus } },
    );
  }
}
