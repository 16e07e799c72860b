/** In which order rows are claimed. @module */
import { Heap } from "../../src/values/heap.ts";
import type { Found } from "./due_row.ts";

/** Where a row stands in its key's order. */
export type Standing = Pick<Found, "place" | "due_at" | "free_at">;

/** One that may be claimed. */
export interface Claimable extends Standing {
  /** When it is tried again; `null`: its sending has not failed. */
  readonly again_at: number | null;
  readonly key: string | null;
}

/** Whether a row comes before another. */
export function before(a: Pick<Standing, "due_at" | "place">, b: typeof a): boolean {
  return a.due_at < b.due_at || (a.due_at === b.due_at && a.place < b.place);
}

/**
 * Those that come first, so many at most. Behind each that is taken, the next of its key lines up.
 *
 * @param heads the first of each key, and of what has none, in order
 * @param behind what comes next in the key of one, if that is free
 */
export function firstOf(
  heads: readonly Claimable[],
  limit: number,
  behind: (taken: Claimable) => Claimable | undefined,
): readonly Claimable[] {
  const followers = new Heap<Claimable>(before);
  const taken: Claimable[] = [];
  for (let at = 0; taken.length < limit;) {
    const head = heads[at];
    const follower = followers.peek();
    const next = follower !== undefined && (head === undefined || before(follower, head))
      ? followers.pop()
      : heads[at++];
    if (next === undefined) break;
    taken.push(next);
    const other = next.key === null ? undefined : behind(next);
    if (other !== undefined) followers.push(other);
  }
  return taken;
}
