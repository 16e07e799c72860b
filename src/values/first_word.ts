/** Where SQL begins to say something. @module */

const nothing = /[\s;]*/y;

/**
 * Where the first word of an SQL text stands, behind white space, comments and empty statements; its length, where it has
 * none. In time linear to it: as a regular expression this takes forever on a line of dashes.
 *
 * @param nests whether comments may stand inside one another
 */
export function firstWordAt(sql: string, nests: boolean): number {
  for (let at = 0;;) {
    nothing.lastIndex = at;
    nothing.test(sql);
    at = nothing.lastIndex;
    if (!sql.startsWith("--", at) && !sql.startsWith("/*", at)) return at;
    at = behindComment(sql, at, nests);
  }
}

/**
 * Where a comment ends.
 *
 * @param at where it begins
 * @param nests as in {@linkcode firstWordAt}
 */
export function behindComment(sql: string, at: number, nests: boolean): number {
  if (sql.startsWith("--", at)) return behind(sql, /[\n\r]/g, at);
  return nests ? behindNested(sql, at) : behind(sql, /\*\//g, at + 2);
}

function behind(sql: string, end: RegExp, from: number): number {
  end.lastIndex = from;
  return end.test(sql) ? end.lastIndex : sql.length;
}

function behindNested(sql: string, from: number): number {
  const bound = /\/\*|\*\//g;
  bound.lastIndex = from;
  let open = 0;
  for (let found = bound.exec(sql); found !== null; found = bound.exec(sql)) {
    open += found[0] === "/*" ? 1 : -1;
    if (open === 0) return bound.lastIndex;
  }
  return sql.length;
}
