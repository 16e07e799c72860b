/** Errors of sagas that run. @module */
import { HeroError } from "./hero_error.ts";

/** A message is for an instance that is not there. Thrown where its event says `onMissing: "fault"`, as by default. */
export class SagaNotFoundError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_SAGA_NOT_FOUND";
  /**
   * Puts it into words.
   *
   * @param event its name in the saga
   * @param by how it was looked for, as in `id "42"`
   */
  constructor(saga: string, event: string, by: string, options?: ErrorOptions) {
    super(
      `No instance of "${saga}" with ${by} is there for "${event}". See whether what starts it has come, ` +
        `then put the message back; or say { onMissing } of the event`,
      { ...options, details: { saga, event, by } },
    );
  }
}

/** An instance has no rule for an event in its state. Thrown where `onUnhandled` says `"fault"`, as by default. */
export class UnhandledSagaEventError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_UNHANDLED_SAGA_EVENT";
  /**
   * Puts it into words.
   *
   * @param event its name in the saga
   */
  constructor(saga: string, id: string, state: string, event: string, options?: ErrorOptions) {
    super(
      `The instance "${id}" of "${saga}" is in "${state}", where no rule takes "${event}". ` +
        `Add a rule, ignore("${event}"), or onUnhandled`,
      { ...options, details: { saga, id, state, event } },
    );
  }
}

/** What is stored of an instance is not what this version of its saga reads. The row is left as it is. */
export class UnreadableSagaError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_UNREADABLE_SAGA";
  /**
   * Puts it into words.
   *
   * @param why what is wrong with it
   */
  constructor(saga: string, id: string, why: string, options?: ErrorOptions) {
    super(
      `Cannot read the instance "${id}" of "${saga}": ${why}. Its row is unchanged; ` +
        `mend the saga or the row, then put the message back`,
      { ...options, details: { saga, id, why } },
    );
  }
}

/** An instance was written by a later version of its saga. The row is left as it is. */
export class SagaVersionAheadError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_SAGA_VERSION_AHEAD";
  /**
   * Puts it into words.
   *
   * @param version of the instance's data
   * @param known the saga's
   */
  constructor(saga: string, id: string, version: number, known: number, options?: ErrorOptions) {
    super(
      `Cannot read the instance "${id}" of "${saga}": its data is of version ${version}, and this process knows ` +
        `version ${known}. Deploy that version here, then put the message back`,
      { ...options, details: { saga, id, version, known } },
    );
  }
}
