/** What is asked of a callback before each attempt to connect. @module */
import { CredentialsError } from "../../src/errors/transport.ts";
import type { Clock } from "../../src/spi/clock.ts";
import { textOf, transportName } from "./errors.ts";
import type { RabbitmqCredentials } from "./options.ts";
import { checkTls, type RabbitmqTls } from "./tls.ts";

/** Whom to ask, and for how long. */
export interface Question {
  readonly ask: (signal: AbortSignal) => unknown;
  /** What it is for, as in `rabbit.example:5672`. */
  readonly at: string;
  readonly limitInMs: number;
  readonly clock: Clock;
  /** Ends the wait: nobody connects any more. */
  readonly signal: AbortSignal;
}

/** What an answer that cannot be used deserves. */
type Failed = (why: string, cause?: unknown) => CredentialsError;

/**
 * Asks once who the bus is to the broker. Whoever answers too late, or not at all, holds up nobody: the next attempt
 * asks again.
 *
 * @throws {CredentialsError} if there is no answer in time, or none that can be used
 */
export function askCredentials(question: Question): Promise<RabbitmqCredentials> {
  return asked(question, "credentials", credentialsOf);
}

/** Asks once for certificates, as {@linkcode askCredentials}. */
export function askTls(question: Question): Promise<RabbitmqTls> {
  return asked(question, "tls", tlsOf);
}

async function asked<Answer>(
  { ask, at, limitInMs, clock, signal }: Question,
  name: "credentials" | "tls",
  read: (given: object, failed: Failed) => Answer,
): Promise<Answer> {
  const failed: Failed = (why, cause) =>
    new CredentialsError(transportName, at, why, { asked: name, ...(cause === undefined ? {} : { cause }) });
  const left = (): CredentialsError => failed("are not waited for any longer, as the transport closes");
  if (signal.aborted) throw left();
  const { promise: ended, reject: end } = Promise.withResolvers<never>();
  const asking = new AbortController();
  const giveUp = (error: Error): void => {
    end(error);
    asking.abort(error);
  };
  const stop = (): void => giveUp(left());
  const cancel = clock.at(clock.now() + limitInMs, () => giveUp(failed(`did not come within ${limitInMs} ms`)));
  signal.addEventListener("abort", stop, { once: true });
  try {
    const given = await Promise.race([ended, answer(ask, asking.signal, failed)]);
    // What came is not shown, as a password or a key may be in it.
    if (typeof given !== "object" || given === null) {
      throw failed(`came as ${given === null ? "null" : typeof given}`);
    }
    return read(given, failed);
  } finally {
    cancel();
    signal.removeEventListener("abort", stop);
  }
}

/** A callback may also throw at once. */
async function answer(ask: Question["ask"], signal: AbortSignal, failed: Failed): Promise<unknown> {
  try {
    return await ask(signal);
  } catch (error) {
    throw failed(`could not be had: ${textOf(error)}`, error);
  }
}

function credentialsOf(given: object, failed: Failed): RabbitmqCredentials {
  const { username, password } = given as Partial<Record<keyof RabbitmqCredentials, unknown>>;
  if (typeof username !== "string") throw failed("came without a { username } that is a string");
  if (typeof password !== "string") throw failed("came without a { password } that is a string");
  return { username, password };
}

function tlsOf(given: object, failed: Failed): RabbitmqTls {
  try {
    checkTls(given);
  } catch (error) {
    throw failed(`cannot be used: ${textOf(error)}`, error);
  }
  return given;
}
