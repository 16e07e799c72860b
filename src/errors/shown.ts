/** Values in the text of errors. @module */

/**
 * A value as an error shows it: quoted where it is text, cut where it is long. Never throws, whatever it is given.
 *
 * @param value anything
 * @returns at most about 200 characters
 */
export function shown(value: unknown): string {
  const text = written(value).toWellFormed();
  return text.length > 200 ? `${text.slice(0, 199).toWellFormed()}…` : text;
}

function written(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return "a function";
  if (typeof value === "string") return JSON.stringify(value.slice(0, 250));
  if (typeof value !== "object" || value === null) return String(value);
  try {
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? "an invalid Date" : value.toISOString();
    return JSON.stringify(value) ?? "an object";
  } catch {
    return "an object";
  }
}
