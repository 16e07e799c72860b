/** What SQLite holds. @module */

/** What a column holds. A boolean is written as 0 or 1, a `Date` as text or number of your choice. */
export type SqliteValue = null | number | bigint | string | Uint8Array;
