/** A promise of nothing that is kept. @module */

/** Of what has been done: one for all, which need not be waited for. */
export const resolved: Promise<void> = Promise.resolve();
