/** The parameters of a statement. @module */
/** What a statement wants to be given. */
export interface Parameters {
  /** How many values. */
  readonly values: number;
  /** The first by a name, if it has such, as in `:id`. */
  readonly named: string | undefined;
}

/** A parameter, or what may have a question mark in it and is none. A name may have a dollar in it. */
const tokens = /[A-Za-z_\d\u0080-\uffff][\w$\u0080-\uffff]*|\?\d*|[:@$#][\w$\u0080-\uffff]+|['"`[]|--|\/\*/g;

/**
 * Looks for the parameters of a statement that SQLite has taken. No runtime tells of them: values that are missing are
 * NULL there. In time linear to it.
 */
export function parametersOf(sql: string): Parameters {
  let values = 0;
  let named: string | undefined;
  tokens.lastIndex = 0;
  for (let found = tokens.exec(sql); found !== null; found = tokens.exec(sql)) {
    const [token] = found;
    switch (token[0]) {
      case "?":
        values = token.length === 1 ? values + 1 : Math.max(values, Number(token.slice(1)));
        break;
      case ":":
      case "@":
      case "$":
      case "#":
        named ??= token;
        break;
      default:
        tokens.lastIndex = behind(sql, ends[token], tokens.lastIndex);
    }
  }
  return { values, named };
}

/** Where it ends; of quotes, one that is doubled ends one text and begins another. */
const ends: Readonly<Record<string, string>> = { "--": "\n", "/*": "*/", "[": "]", "'": "'", '"': '"', "`": "`" };

function behind(sql: string, end: string | undefined, from: number): number {
  if (end === undefined) return from; // a name
  const at = sql.indexOf(end, from);
  return at < 0 ? sql.length : at + end.length;
}
