/** Nothing, listed. @module */

/** An empty list, which all may share. */
export const none: readonly never[] = Object.freeze([]);
