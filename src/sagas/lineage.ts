/** States within states: `a.b` is within `a`. @module */

/** A state and those that it is within, itself first. */
export function lineageOf(state: string): readonly string[] {
  const all = [state];
  for (let at = state.lastIndexOf("."); at > 0; at = state.lastIndexOf(".", at - 1)) all.push(state.slice(0, at));
  return all;
}

/** Whether whoever is in `state` is in `other`. */
export function isWithin(state: string, other: string): boolean {
  return state === other || state.startsWith(other) && state[other.length] === ".";
}
