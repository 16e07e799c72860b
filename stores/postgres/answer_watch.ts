/** What the answers to a handler's statements say of its unit's transaction. @module */
import type { TransactionSql } from "postgres";
import { TransactionEndedError } from "../../src/errors/store.ts";
import { noTransaction, stateOf, storeName } from "./errors.ts";
import { sendPlain } from "./plain_query.ts";

/** Commands after which it is no longer the unit's, also where another was begun at once. */
const ending = new Set(["COMMIT", "BEGIN", "START TRANSACTION", "PREPARE TRANSACTION"]);

/** Also what goes back to a savepoint answers so. */
const rollback = "ROLLBACK";

/**
 * Passes an answer on. What is written behind the end of the transaction is kept or lost for itself, so a unit must not
 * go on as if nothing were; a text tells of its statements only here where it comes from a file, or is made of parts.
 *
 * @param found as postgres.js has it
 * @param tx where it comes from
 * @returns or, where a statement has left the transaction, rejects with a {@linkcode TransactionEndedError}
 */
export function watchAnswer(found: unknown, tx: TransactionSql): unknown {
  if (!Array.isArray(found)) return found;
  const { command } = found as { readonly command?: unknown };
  // Several statements give a list of answers, which has no command of its own.
  const commands = command === undefined ? found.map((each) => Reflect.get(Object(each), "command")) : [command];
  let unsure = false;
  for (const each of commands) {
    if (ending.has(each)) return Promise.reject(new TransactionEndedError(storeName, undefined, each));
    unsure ||= each === rollback;
  }
  return unsure ? askWhether(tx).then(() => found) : found;
}

/**
 * Whether the transaction is still there: no savepoint can be set without.
 *
 * @throws {TransactionEndedError} if it is not
 */
export async function askWhether(tx: TransactionSql): Promise<void> {
  const text = "SAVEPOINT hero_watch;RELEASE SAVEPOINT hero_watch";
  try {
    await (sendPlain(tx, { tagged: false, strings: [text], args: [], options: { simple: true }, isRaw: false })
      ?.result ??
      tx.unsafe(text));
  } catch (error) {
    // Whatever else it is, the commit will meet it, too.
    if (stateOf(error) === noTransaction) throw new TransactionEndedError(storeName, { cause: error }, rollback);
  }
}
