/** Which undos a compensation runs. @module */
import type { UndoRecord } from "./instance.ts";

/** The next undo to run; `undefined`: none is left, or `downTo` has not been registered. */
export function nextUndo(undos: readonly UndoRecord[], downTo: string | undefined): UndoRecord | undefined {
  if (downTo !== undefined && !undos.some(({ name }) => name === downTo)) return undefined;
  return undos.at(-1);
}

/** The one of two points that more undos lie behind; `undefined`, which is all, lies behind each. */
export function further(
  undos: readonly UndoRecord[],
  one: string | undefined,
  other: string | undefined,
): string | undefined {
  if (one === undefined || other === undefined) return undefined;
  const place = (point: string) => undos.findIndex(({ name }) => name === point);
  if (place(one) < 0) return other;
  return place(other) >= 0 && place(other) < place(one) ? other : one;
}
