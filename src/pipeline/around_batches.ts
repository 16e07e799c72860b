/** Middleware that goes around batch handlers, too. @module */
import type { BatchHandler, Middleware } from "./context.ts";

/** What such middleware makes of a batch handler. */
export const aroundBatches: unique symbol = Symbol("around batches");

/** Middleware of the library's own that is not only around each message of a batch, but also around its handler. */
export interface BatchMiddleware extends Middleware {
  [aroundBatches](handler: BatchHandler<unknown>): BatchHandler<unknown>;
}

/** A batch handler within all middleware that goes around it, the first outermost. */
export function batchHandlerWithin(
  middleware: readonly (Middleware | BatchMiddleware)[],
  handler: BatchHandler<unknown>,
): BatchHandler<unknown> {
  return middleware.reduceRight((inner, each) => aroundBatches in each ? each[aroundBatches](inner) : inner, handler);
}
