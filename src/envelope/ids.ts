/** The ids that applications give. @module */
import { InvalidIdError } from "../errors/sending.ts";

/** What every broker's own id takes. */
const longest = 128;
// deno-lint-ignore no-control-regex -- it is control characters that are refused: logs and text protocols break on them
const control = /[\u0000-\u001f\u007f]/;

/**
 * Checks an id that an application gives.
 *
 * @param what `"messageId"` or `"correlationId"`
 * @throws {InvalidIdError} if it is not 1 to 128 characters of well-formed text without control characters
 */
export function checkId(contract: string, what: "messageId" | "correlationId", id: unknown): void {
  const why = problem(id);
  if (why !== undefined) throw new InvalidIdError(contract, what, why);
}

function problem(id: unknown): string | undefined {
  if (typeof id !== "string") return `it is of type ${id === null ? "null" : typeof id}`;
  if (id === "") return "it is empty";
  if (id.length > longest) return `it has ${id.length} characters`;
  if (control.test(id)) return "it has control characters";
  return id.isWellFormed() ? undefined : "it has a lone surrogate";
}
