/** Text in columns. @module */

/** What a cell may take, so that one long text does not push all others away. The last column may be longer. */
const widestInCharacters = 48;

/**
 * An aligned table with a line under its head.
 *
 * @param rows each as long as `head`; columns that are empty in all of them are left out
 */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const used = head.map((_, column) => column).filter((column) => rows.some((row) => (row[column] ?? "") !== ""));
  const last = used.at(-1);
  const lines = [head, ...rows].map((row) => used.map((column) => cell(row[column] ?? "", column === last)));
  const widths = used.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const [first = [], ...others] = lines.map((line) =>
    line.map((text, column) => text.padEnd(widths[column] ?? 0)).join("  ").trimEnd()
  );
  return [first, widths.map((width) => "-".repeat(width)).join("  "), ...others].join("\n");
}

function cell(text: string, last: boolean): string {
  const line = text.replaceAll(/\s+/g, " ");
  return last || line.length <= widestInCharacters ? line : `${line.slice(0, widestInCharacters - 1)}…`;
}
