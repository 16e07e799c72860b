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
    if (sql.startsWith("--", at)) at = behind(sql, /[\n\r]/g, at);
    else if (sql.startsWith("/*", at)) at = nests ? behindNested(sql, at) : behind(sql, /\*\//g, at + 2);
    else return at;
  }
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
