/** What PostgreSQL's errors mean. @module */
import { ConfigurationError } from "../../src/errors/configuration.ts";
import { HeroError } from "../../src/errors/hero_error.ts";
import {
  ConflictError,
  OutcomeUnknownError,
  StoreCorruptError,
  StoreFullError,
  StoreReadOnlyError,
  StoreTimeoutError,
  StoreUnavailableError,
} from "../../src/errors/store.ts";
import { AccessRefusedError, TopologyError } from "../../src/errors/transport.ts";
import type { SqlConnection } from "./sql_client.ts";

/** As errors say it. */
export const storeName = "postgres";
/** What is closed, of a store and of a transport alike. */
export const closedName = "the connection to PostgreSQL";

/** SQLSTATE: five of these, https://www.postgresql.org/docs/current/errcodes-appendix.html */
const sqlState = /^[0-9A-Z]{5}$/;
/** As sockets and drivers name them; five letters as well. */
const socketErrors = new Set(["EPIPE"]);

/** What a client says of a statement that it cannot write, be it by its own names or by its runtime's. */
const unwritable = new Set([
  "UNDEFINED_VALUE",
  "MAX_PARAMETERS_EXCEEDED",
  "NOT_TAGGED_CALL",
  "COPY_IN_PROGRESS",
  "UNSAFE_TRANSACTION",
  "ERR_INVALID_ARG_TYPE",
  "ERR_INVALID_ARG_VALUE",
  "ERR_OUT_OF_RANGE",
]);

/** An index has what may be there once. */
export const uniqueViolation = "23505";

/** The server has ended a transaction for how long it took: between its statements, so what comes behind is not done. */
const outlasted = new Set(["25P03", "25P04"]); // idle_in_transaction_session_timeout, transaction_timeout
/** The transaction may not write. */
const readOnly = "25006";
const afterFailover = "If it is a standby, see that its primary is reached there: it is tried again, on new " +
  "connections. Else see who has set default_transaction_read_only";
/** What needs a transaction was run in none. */
export const noTransaction = "25P01";

/** The SQLSTATE of an error; `undefined`: it comes from elsewhere. */
export function stateOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return undefined;
  return sqlState.test(error.code) && !socketErrors.has(error.code) ? error.code : undefined;
}

/** Whether the server said that the transaction can be done again, and would then succeed. */
export function isRetryable(error: unknown): boolean {
  const state = stateOf(error);
  return state === "40001" || state === "40P01";
}

/** Whether the transaction has failed before, and the server takes nothing more. */
export function isAborted(error: unknown): boolean {
  return stateOf(error) === "25P02";
}

/**
 * Whether the server takes no writes: a standby, or one that is about to be. After a failover another may stand at its
 * address, so that a new connection leads to where this one does not.
 */
export function isReadOnly(error: unknown): boolean {
  return stateOf(error instanceof StoreReadOnlyError ? error.cause : error) === readOnly;
}

/** Whether the connection, or the server, went away. */
export function isLost(error: unknown): boolean {
  if (error instanceof HeroError || !(error instanceof Error)) return false;
  const state = stateOf(error);
  if (state === undefined) {
    if (!("code" in error) || typeof error.code !== "string") return /connection/i.test(error.message);
    return !unwritable.has(error.code);
  }
  return state.startsWith("08") || state.startsWith("57P");
}

/** An error of a handler's statement: as the driver has it, unless the whole unit has to be done again. */
export function explain(error: unknown, where: string): unknown {
  if (isRetryable(error)) return new ConflictError("what its statements touch", { cause: error });
  if (error instanceof HeroError || !isLost(error)) return error;
  return unavailable(error, where);
}

/** What it means that a commit may not write, where the server has let its transaction write before. */
export function madeReadOnly(cause: StoreReadOnlyError): ConfigurationError {
  return new ConfigurationError(
    "Cannot write what a message has caused: a statement of its handler has made its transaction read-only. Take that " +
      "away (SET TRANSACTION READ ONLY), or do what is to be read in a transaction of the application's own",
    { cause },
  );
}

/** What a loss, as {@linkcode isLost} knows it, means. */
export function unavailable(error: unknown, where: string): StoreUnavailableError {
  return new StoreUnavailableError(storeName, where, (error as Error).message, { cause: error }); // `isLost` says so
}

/** What the loss of a unit's connection means, between its statements. */
export function explainLoss(
  lastWords: SqlConnection<unknown>["lastWords"],
  where: string,
): StoreUnavailableError | StoreTimeoutError {
  if (lastWords === undefined) return new StoreUnavailableError(storeName, where, "the connection was lost");
  const { state, message } = lastWords;
  return outlasted.has(state)
    ? new StoreTimeoutError(storeName, where, message, undefined, "a transaction that waited for its handler")
    : new StoreUnavailableError(storeName, where, `the server has closed the connection: ${message} (${state})`);
}

/** An error of the store's own statements. */
export function explainOwn(error: unknown, where: string): unknown {
  if (error instanceof HeroError || !(error instanceof Error)) return error;
  const cause = { cause: error };
  const state = stateOf(error);
  switch (state) {
    case "26000": // invalid_sql_statement_name: from now on it does without such
      return new ConflictError("what was prepared on its connection", cause);
    case "42P01": // undefined_table
    case "42703": // undefined_column
    case "3F000": // invalid_schema_name
      return new TopologyError(
        [`the tables in "${where}" are missing or of an older version: ${error.message}`],
        cause,
      );
    case readOnly:
      return new StoreReadOnlyError(storeName, where, cause, afterFailover);
    case "53100": // disk_full
      return new StoreFullError(storeName, where, cause);
    case "XX001": // data_corrupted
    case "XX002": // index_corrupted
      return new StoreCorruptError(storeName, where, cause);
    case "28000": // invalid_authorization_specification
    case "28P01": // invalid_password
    case "42501": // insufficient_privilege
      return new AccessRefusedError(where, "use the database", { ...cause, why: error.message });
    case "57014": // query_canceled: statement_timeout
    case "55P03": // lock_not_available: lock_timeout
      return new StoreTimeoutError(storeName, where, error.message, cause);
    case "53200": // out_of_memory
    case "53300": // too_many_connections
    case "3D000": // invalid_catalog_name
      return new StoreUnavailableError(storeName, where, error.message, cause);
    default:
      return explain(error, where);
  }
}

/** An error of the store's own statements in a transaction that an application has begun: it may be of another database. */
export function explainJoined(error: unknown, where: string): unknown {
  const explained = explainOwn(error, where);
  if (!(explained instanceof TopologyError) || !(error instanceof Error)) return explained;
  return new TopologyError(
    [`the tables are missing in the database of this { tx }, or of an older version: ${error.message}`],
    {
      cause: error,
      instead: `The store is in "${where}". Give a { tx } of that database; if it is one, run bus.deploy("apply")`,
    },
  );
}

/** The connection for which a statement waited went away, or never came about: nothing of it was sent. */
export class UnsentError extends Error {
  /** As drivers say what is no SQLSTATE. */
  readonly code = "UNSENT";

  /** @param loss as the driver has told it */
  constructor(loss: Error) {
    super(`it was not sent: ${loss.message}`, { cause: loss });
  }
}

/** What happens before a statement is sent. */
const unsent = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "CONNECT_TIMEOUT", "57P03", "UNSENT"]);

/** An error of a statement that was handed to no connection: a loss has not touched it. */
export function explainUnsent(error: unknown): unknown {
  return isLost(error) ? new UnsentError(error as Error) : error; // `isLost` says so
}

/**
 * An error of a commit, after which nobody may know whether it was written.
 *
 * @param lastWords of its connection: they may tell that the server had ended the transaction before it read the commit
 */
export function explainCommit(error: unknown, where: string, lastWords?: SqlConnection<unknown>["lastWords"]): unknown {
  if (isLost(error) && lastWords !== undefined && outlasted.has(lastWords.state)) return explainLoss(lastWords, where);
  const sent = !(error instanceof Error && "code" in error && unsent.has(String(error.code)));
  return sent && isLost(error) ? new OutcomeUnknownError(storeName, { cause: error }) : explainOwn(error, where);
}
