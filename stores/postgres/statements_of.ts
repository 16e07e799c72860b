/** The statements of a text. @module */
import { behindComment } from "../../src/values/first_word.ts";

/** What ends a statement, and what begins that in which nothing does. A name may have a dollar in it, and end in an `e`. */
const marks =
  /[;"]|--|\/\*|(?<![\w$\u0080-\uffff])[eE]'|'|(?<![\w$\u0080-\uffff])\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$/g;

/** Where the next of these is, in texts with escapes. */
const escapes = /\\|'/g;

/** Parts a text at the semicolons that PostgreSQL would part it at. In time linear to it. */
export function statementsOf(sql: string): readonly string[] {
  const found: string[] = [];
  let begin = 0;
  marks.lastIndex = 0;
  for (let mark = marks.exec(sql); mark !== null; mark = marks.exec(sql)) {
    const [token] = mark;
    const at = mark.index;
    if (token === ";") {
      found.push(sql.slice(begin, at));
      begin = at + 1;
      continue;
    }
    marks.lastIndex = behind(sql, token, at);
  }
  found.push(sql.slice(begin));
  return found;
}

function behind(sql: string, token: string, at: number): number {
  switch (token) {
    case "--":
    case "/*":
      return behindComment(sql, at, true);
    case "e'":
    case "E'":
      return behindEscaped(sql, at + token.length);
    default: { // a quote that is doubled ends one text and begins another
      const end = sql.indexOf(token, at + token.length);
      return end < 0 ? sql.length : end + token.length;
    }
  }
}

function behindEscaped(sql: string, from: number): number {
  escapes.lastIndex = from;
  for (let found = escapes.exec(sql); found !== null; found = escapes.exec(sql)) {
    if (found[0] === "'" && sql[escapes.lastIndex] !== "'") return escapes.lastIndex;
    escapes.lastIndex++;
  }
  return sql.length;
}
