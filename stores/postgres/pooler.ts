/** What may stand between a client of postgres.js and its database. @module */
import type { Row, Sql } from "postgres";
import type { Clock } from "../../src/spi/clock.ts";
import type { Line } from "./line.ts";

/** So often it is tried to have the server that another client had: others may take it in between. */
const mostTries = 5;
/** A pooler with one server has to wait for it. */
const answerInMs = 1_000;

/** A pooler, by what it does. */
export interface Pooler {
  /** Whether it was seen to give one server to several clients, one after the other. */
  readonly shares: boolean;
  /** False: what a client has prepared is not there on the next server that it is given. True: nothing speaks against it. */
  readonly keepsPrepared: boolean;
}

/** Whether a pooler stands there: it names a server's process of its own. */
export async function isPooled(line: Line): Promise<boolean> {
  const [[process] = []] = await line.ask("SELECT pg_catalog.pg_backend_pid()", [], false);
  return Number(process) !== line.process;
}

/**
 * Looks whether a pooler keeps what was prepared: while another client has the server on which it was.
 *
 * @param sql a client of one connection that prepares
 * @param other another one, for this alone
 */
export async function lookAtPooler(sql: Sql, other: Sql, clock: Clock): Promise<Pooler> {
  for (let tries = 1; tries <= mostTries; tries++) {
    const before = await prepared(sql);
    await other.unsafe("BEGIN");
    const [held] = await other.unsafe<Row[]>("SELECT pg_catalog.pg_backend_pid()").values();
    const shares = Number(held?.[0]) === before.server;
    const answer = shares ? prepared(sql) : undefined;
    if (answer !== undefined) await settled(answer, clock);
    await other.unsafe("COMMIT");
    // The client prepares anew, by another name, what a server does not know.
    if (answer !== undefined) return { shares, keepsPrepared: (await answer).name === before.name };
  }
  return { shares: false, keepsPrepared: true };
}

/** On which server a statement ran, and by which name it was prepared. */
async function prepared(sql: Sql): Promise<{ readonly server: number; readonly name: string }> {
  const text = "SELECT pg_catalog.pg_backend_pid() + $1::text::integer";
  const found = await sql.unsafe<Row[]>(text, ["0"], { prepare: true }).values();
  return { server: Number(found[0]?.[0]), name: found.statement.name };
}

/** Waits for an answer, but not for long. */
async function settled(answer: Promise<unknown>, clock: Clock): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancel = (clock.background ?? clock).at(clock.now() + answerInMs, resolve);
  answer.then(() => resolve(), () => resolve());
  await promise;
  cancel();
}
