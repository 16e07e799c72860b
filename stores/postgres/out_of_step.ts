/** Statements that a client could not write behind others. @module */
import { isLost, stateOf } from "./errors.ts";

/** A query that a connection has been handed. */
export interface Handed {
  /** Tells it that it has failed. */
  reject(reason: unknown): void;
}

/** What was handed to its connection last, in this turn. */
let last: Handed | undefined;
/** Whether a query is being handed over, and {@linkcode last} is forgotten after it. */
let handing = false;
/** What is to be done where a client's connection is out of step. */
const whenOutOfStep = new WeakMap<object, () => void>();

/** Calls back when the answers on a client's connection would go to others than have asked. */
export function onOutOfStep(sql: object, then: () => void): void {
  whenOutOfStep.set(sql, then);
}

/** Hands a query over. */
export function hand<Query>(query: Query, over: (query: Query) => unknown): void {
  handing = true;
  try {
    over(query);
  } finally {
    handing = false;
    last = undefined;
  }
}

/** A connection has taken a query, and writes it now. */
export function taken(query: Handed): void {
  // One that was queued, as the connection was not there yet, is taken at any time.
  if (last === undefined && !handing) queueMicrotask(() => last = undefined);
  last = query;
}

/**
 * Where postgres.js cannot write a statement, as a value is `undefined` or no date, it rejects whichever query the
 * connection is at, and leaves the statement among those that wait for an answer: it would be given the next one's, and
 * so on. So that statement is told, and the connection is not to be used any more.
 *
 * @param sql whose connection it is
 * @param told which query was rejected
 * @returns whether it was another one's error: this one is under way still
 */
export function isOfAnother(sql: unknown, told: Handed, reason: unknown): boolean {
  const unwritten = last;
  if (unwritten === undefined || unwritten === told || stateOf(reason) !== undefined || isLost(reason)) return false;
  last = undefined;
  unwritten.reject(reason);
  if (sql instanceof Object) whenOutOfStep.get(sql)?.();
  return true;
}

/** A query of the client's own, about which is told as about those that are made here. */
export function keptInStep<Query extends object>(sql: unknown, query: Query): Query {
  let inner: unknown = Reflect.get(query, "reject");
  let state: unknown = Reflect.get(query, "state");
  const handed: Handed = {
    reject: (reason) => {
      if (!isOfAnother(sql, handed, reason) && typeof inner === "function") inner(reason);
    },
  };
  return Object.defineProperties(query, {
    reject: {
      get: () => handed.reject,
      set: (other: unknown) => inner = other, // a cursor has one for each page
    },
    state: {
      get: () => state,
      set: (now: unknown) => {
        state = now;
        taken(handed);
      },
    },
  });
}
