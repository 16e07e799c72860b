/** Where a process is killed. */
import process from "node:process";

/**
 * Every point of a message's way at which the process may end: of the delivery that is handled, of the unit of work, of
 * the rows that it leaves, and of what tells broker and store. What is not named so lies between two of them, and is
 * the matter of `anywhere`: killed from outside, at a time of its own.
 */
export const points = [
  "begin",
  "begun",
  "ctx.tx",
  "written",
  "handled",
  "savepoint",
  "savepoint released",
  "rollback",
  "rolled back",
  "commit",
  "commit sent",
  "committed",
  "send",
  "sent",
  "confirm",
  "confirmed",
  "claim from the outbox",
  "claimed from the outbox",
  "claim from the schedules",
  "claimed from the schedules",
  "done",
  "done sent",
  "done told",
  "later",
  "later told",
  "acknowledge",
  "acknowledged",
] as const;

/** One of them. */
export type Point = typeof points[number];

/** The same where queues and store are one file: a message leaves nothing behind its unit's commit. */
export const onePoints = [
  "delivered",
  "begin",
  "begun",
  "ctx.tx",
  "written",
  "handled",
  "savepoint released",
  "enlist",
  "sends enlisted",
  "settlements enlisted",
  "commit",
  "commit sent",
  "committed",
] as const;

/** One of them. */
export type OnePoint = typeof onePoints[number];

/** Where queues stand alone: on the way of what is sent, and of what is taken. */
export const lonePoints = {
  send: ["send", "sent", "confirm", "confirmed"],
  take: ["delivered", "written", "handled", "acknowledge", "acknowledged"],
} as const;

/** Kills the process when it comes to a point for the n-th time. */
export class Killer {
  readonly #at: string;
  #left: number;

  /** @param at `""`, or what is no point: it lives */
  constructor(at: string, times: number) {
    this.#at = at;
    this.#left = times;
  }

  /** The process may end here. */
  cross(point: Point | OnePoint): void {
    if (point !== this.#at || --this.#left > 0) return;
    process.kill(process.pid, "SIGKILL");
    // Not one more instruction of the application, should the signal take its time.
    for (;;);
  }
}
