/** How deep is a body? @module */

/** Whether a JSON text opens at most `limit` containers, and so is no deeper: the quickest look. */
export function opensFew(text: string, limit: number): boolean {
  if (text.length <= 2 * limit) return true; // each is closed as well
  let opened = 0;
  for (let at = text.indexOf("{"); at >= 0; at = text.indexOf("{", at + 1)) if (++opened > limit) return false;
  for (let at = text.indexOf("["); at >= 0; at = text.indexOf("[", at + 1)) if (++opened > limit) return false;
  return true;
}

/** Whether at most `depth` containers stand inside one another in a parsed JSON value. Recurses no deeper than that. */
export function isShallow(value: unknown, depth: number): boolean {
  return typeof value !== "object" || value === null || isShallowContainer(value, depth);
}

function isShallowContainer(container: object, depth: number): boolean {
  if (depth === 0) return false;
  if (Array.isArray(container)) {
    for (let index = 0; index < container.length; index++) {
      const value: unknown = container[index];
      if (typeof value === "object" && value !== null && !isShallowContainer(value, depth - 1)) return false;
    }
    return true;
  }
  for (const key in container) {
    const value = (container as Readonly<Record<string, unknown>>)[key];
    if (typeof value === "object" && value !== null && !isShallowContainer(value, depth - 1)) return false;
  }
  return true;
}

/**
 * The same of a JSON text not parsed yet: to parse millions of levels takes seconds. Of a text that is not JSON it may
 * say either.
 */
export function isShallowText(body: Uint8Array, depth: number): boolean {
  let open = 0;
  for (let at = 0; at < body.length; at++) {
    switch (body[at]) {
      case 0x22: // A string, to its closing quote; a backslash escapes what follows it.
        for (at++; at < body.length && body[at] !== 0x22; at++) if (body[at] === 0x5c) at++;
        break;
      case 0x5b: // [
      case 0x7b: // {
        if (++open > depth) return false;
        break;
      case 0x5d: // ]
      case 0x7d: // }
        open--;
    }
  }
  return true;
}
