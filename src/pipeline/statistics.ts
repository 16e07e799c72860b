/** What an endpoint has done since it began. @module */

/** What an endpoint has done since it began, in this process. */
export interface EndpointStatistics {
  /** Deliveries that were started. */
  readonly received: number;
  /** Messages whose handlers have all succeeded. */
  readonly consumed: number;
  /** Attempts that failed and were followed by another at once. */
  readonly retried: number;
  /** Messages sent back after a failure, to be delivered later. */
  readonly redelivered: number;
  /** Messages given up: moved to the error queue. */
  readonly faulted: number;
  /** Messages that failed and were taken from the queue by the endpoint's own rule. */
  readonly discarded: number;
  /** Messages that no handler was for: moved to the skipped queue. */
  readonly skipped: number;
  /** Messages that had expired when they came. */
  readonly expired: number;
  /** Messages that a handler put off. */
  readonly deferred: number;
  /** Messages that the endpoint's inbox knew: they have had their effect. */
  readonly duplicate: number;
  /** Deliveries whose claim was lost before they were settled. */
  readonly lost: number;
  /** Messages for an instance of a saga that was not there, where `onMissing` says to discard them. */
  readonly missing: number;
  /** Messages for something of a saga that was over: a timeout that was taken back, an answer that came too late. */
  readonly stale: number;
}

/** The same, being counted. */
export class Statistics implements EndpointStatistics {
  received = 0;
  consumed = 0;
  retried = 0;
  redelivered = 0;
  faulted = 0;
  discarded = 0;
  skipped = 0;
  expired = 0;
  deferred = 0;
  duplicate = 0;
  lost = 0;
  missing = 0;
  stale = 0;

  /** As they are now. */
  snapshot(): EndpointStatistics {
    return { ...this };
  }
}
