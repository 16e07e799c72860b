/** Schedules that were taken back before they came. @module */
import { keepCancelledMs, type ScheduleCancel, type ScheduleRow } from "../../src/spi/rows.ts";

/** What units that have not ended may still bring, and is not wanted. */
export class Cancelled {
  /** Until when each is known, in the order in which they came. */
  readonly #until = new Map<string, number>();

  /** From now on it does not come. */
  add({ cancel, group }: ScheduleCancel, now: number): void {
    if (group === undefined) return;
    this.sweep(now);
    this.#until.set(name(cancel, group), now + keepCancelledMs);
  }

  has({ token, group }: ScheduleRow): boolean {
    return this.#until.size > 0 && this.#until.has(name(token, group));
  }

  /** Forgets what is old. */
  sweep(now: number): void {
    for (const [each, until] of this.#until) {
      if (until > now) return;
      this.#until.delete(each);
    }
  }
}

function name(token: string, group: string): string {
  return `${group.length}:${group}${token}`;
}
