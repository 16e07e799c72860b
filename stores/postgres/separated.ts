/** Lists as texts with a separator between: they take no escapes, which is most of what an array's text costs. @module */

const separator = "\x1f";

/**
 * A list that travels so, as a function that gives its rows. Its length stands in a SELECT, as `rowsOfLists` says.
 *
 * @param parameter as in `$2`
 */
export function listIn(parameter: string): string {
  return `unnest((SELECT string_to_array(${parameter}::text, E'\\x1f')))`;
}

/** A list as one text; `undefined`: the server would take it for a longer one, or for an empty one. */
export function separated(list: readonly string[]): string | undefined {
  const text = list.join(separator);
  let length = text === "" ? 0 : 1;
  for (let at = text.indexOf(separator); at >= 0; at = text.indexOf(separator, at + 1)) length++;
  return length === list.length ? text : undefined;
}

/** Several lists; `undefined`: one of them cannot travel so. */
export function allSeparated(lists: readonly (readonly string[])[]): readonly string[] | undefined {
  const texts: string[] = [];
  for (const list of lists) {
    const text = separated(list);
    if (text === undefined) return undefined;
    texts.push(text);
  }
  return texts;
}
