/** Which SQL a handler may run in its unit's transaction. @module */
import { ConfigurationError } from "../../src/errors/configuration.ts";
import { firstWordAt } from "../../src/values/first_word.ts";
import { statementsOf } from "./statements_of.ts";

/** What would end the transaction behind the unit's back, or change what its texts mean. Savepoints are a handler's own. */
const forbidden = new RegExp(
  String.raw`^(begin|start|commit|end|abort|rollback(?!\s+(?:(?:work|transaction)\s+)?to\b)|prepare\s+transaction|` +
    String.raw`deallocate|discard|set\s+(?:(?:local|session)\s+)?(?:client_encoding|names))\b`,
  "i",
);

/** A function whose body is SQL has statements of its own, the last of which is `END`. */
const hasBody = /\bbegin\s+atomic\b/i;

/**
 * Refuses what would end the unit's transaction, in whichever of a text's statements it stands.
 *
 * @throws {ConfigurationError} which names it
 */
export function checkUnitText(text: string): void {
  if (typeof text !== "string") return; // from JavaScript: the client refuses it
  const first = text.indexOf(";");
  if (first < 0 || text.slice(first + 1).trim() === "") return checkStatement(text);
  for (const each of hasBody.test(text) ? [text] : statementsOf(text)) checkStatement(each);
}

function checkStatement(text: string): void {
  const found = forbidden.exec(text.slice(firstWordAt(text, true)))?.[1];
  if (found === undefined) return;
  const name = found.toUpperCase();
  throw new ConfigurationError(
    name.startsWith("SET")
      ? `Cannot run ${name} in a unit of work: the client writes UTF-8, and so does the store with the commit. Take it away`
      : name === "DEALLOCATE" || name === "DISCARD"
      ? `Cannot run ${name} in a unit of work: the store has prepared statements on its connection. Take it away`
      : `Cannot run ${name} in a unit of work: the unit begins and ends its transaction. ` +
        `Take it away, or use tx.savepoint()`,
  );
}
