/** Errors of sagas that run. @module */
import { HeroError } from "./hero_error.ts";
import { messageOf } from "./thrown.ts";

/** A message is for an instance that is not there. Thrown where its event says `onMissing: "fault"`, as by default. */
export class SagaNotFoundError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_SAGA_NOT_FOUND";
  /**
   * Puts it into words.
   *
   * @param event its name in the saga
   * @param by how it was looked for, as in `id "42"`
   * @param options `instead`: what to do where no message was looking for it
   */
  constructor(
    saga: string,
    event: string,
    by: string,
    { instead, ...options }: ErrorOptions & { readonly instead?: string } = {},
  ) {
    super(
      `No instance of "${saga}" with ${by} is there for "${event}". ` +
        (instead ??
          "See whether what starts it has come, then put the message back; or say { onMissing } of the event"),
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
        `Add a rule, ignore("${event}"), or onUnhandled; where it comes too early, { redeliver } on the endpoint`,
      { ...options, details: { saga, id, state, event } },
    );
  }
}

/** A message has come again and again while an instance compensates, which takes nothing else meanwhile. */
export class SagaCompensatingError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_SAGA_COMPENSATING";
  /**
   * Puts it into words.
   *
   * @param what the name of the event or timeout, or what else came
   * @param times how often it has come
   */
  constructor(saga: string, id: string, what: string, times: number) {
    super(
      `The instance "${id}" of "${saga}" still compensates after "${what}" has come ${times} times, and takes nothing ` +
        `else until it is done. See whether one of its undos waits in the error queue, and put both messages back: ` +
        `bus.sagas(…).redeliver("${id}")`,
      { details: { saga, id, what, times } },
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

/** What the rules of a saga have made of an instance's data does not satisfy its schema. Nothing was written. */
export class InvalidSagaDataError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_INVALID_SAGA_DATA";
  /**
   * Puts it into words.
   *
   * @param issues what the schema said
   */
  constructor(saga: string, id: string, issues: readonly string[], options?: ErrorOptions) {
    super(
      `Cannot keep the instance "${id}" of "${saga}": its data does not satisfy its schema: ${issues.join("; ")}. ` +
        `Mend the step that made it so`,
      { ...options, details: { saga, id, issues } },
    );
  }
}

/** An undo of a compensation failed. The instance stays as it was before the undo, which is due again. */
export class CompensationFailedError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_COMPENSATION_FAILED";
  /** The saga's name. */
  readonly saga: string;
  /** The instance's. */
  readonly id: string;
  /** The name under which the undo was registered. */
  readonly undo: string;
  /**
   * Puts it into words. What the undo threw is the cause.
   *
   * @param undo the name under which it was registered
   */
  constructor(saga: string, id: string, undo: string, options: ErrorOptions) {
    super(
      `The undo "${undo}" of the instance "${id}" of "${saga}" failed: ${messageOf(options.cause)}. ` +
        `Nothing of it was kept, and those before it wait; mend the cause, then put the message back`,
      { ...options, details: { saga, id, undo } },
    );
    this.saga = saga;
    this.id = id;
    this.undo = undo;
  }
}

/** An instance has registered an undo that its saga does not have any more. */
export class UnknownUndoError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_UNKNOWN_UNDO";
  /** The saga's name. */
  readonly saga: string;
  /** The instance's. */
  readonly id: string;
  /** The name under which the undo was registered. */
  readonly undo: string;
  /**
   * Puts it into words.
   *
   * @param known the names that the saga has
   */
  constructor(saga: string, id: string, undo: string, known: readonly string[]) {
    super(
      `Cannot compensate the instance "${id}" of "${saga}": it registered the undo "${undo}", and this version of the ` +
        `saga has ${known.map((each) => `"${each}"`).join(", ") || "none"}. Keep compensateWith("${undo}", …) for as ` +
        `long as such instances live, then put the message back`,
      { details: { saga, id, undo, known } },
    );
    this.saga = saga;
    this.id = id;
    this.undo = undo;
  }
}

/** Rules of a saga lead to one another without end: a state's `whenEnter` to another's, or `raise` to itself. */
export class EndlessSagaError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_ENDLESS_SAGA";
  /**
   * Puts it into words.
   *
   * @param what was about to be done once more, as in `enter "waiting"`
   * @param times how often rules had led on
   */
  constructor(saga: string, id: string, what: string, times: number) {
    super(
      `The instance "${id}" of "${saga}" was about to ${what}, after ${times} rules that led to one another. ` +
        `Look for whenEnter and raise that go round in a circle`,
      { details: { saga, id, what, times } },
    );
  }
}

/** An instance lacks a property of its data that its state requires, or that a rule needs. */
export class MissingSagaDataError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_MISSING_SAGA_DATA";
  /**
   * Puts it into words.
   *
   * @param state that it is in, or was about to enter
   */
  constructor(saga: string, id: string, state: string, property: string) {
    super(
      `The instance "${id}" of "${saga}" has no "${property}" in "${state}", where it needs it. ` +
        `Set ctx.saga.${property} before it goes there`,
      { details: { saga, id, state, property } },
    );
  }
}

/** A saga that had to ask others first went on without an answer of its own: whoever asked it gets a fault with this. */
export class SagaRequestAbandonedError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_SAGA_REQUEST_ABANDONED";
  /**
   * Puts it into words.
   *
   * @param event by which it was asked
   * @param state that it is in now
   */
  constructor(saga: string, id: string, event: string, state: string) {
    super(
      `The saga "${saga}" does not answer "${event}": its instance "${id}" went on to "${state}" without an answer to ` +
        `it. Ask again if the answer still matters`,
      { details: { saga, id, event, state } },
    );
  }
}
