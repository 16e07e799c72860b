/** Who the bus is to the broker, where a callback says it. @module */
import { CredentialsError } from "../../src/errors/transport.ts";
import type { Clock } from "../../src/spi/clock.ts";
import { textOf, transportName } from "./errors.ts";
import type { RabbitmqCredentials } from "./options.ts";

/** Whom to ask, and for how long. */
export interface CredentialsQuestion {
  readonly ask: (signal: AbortSignal) => unknown;
  /** What they are for, as in `rabbit.example:5672`. */
  readonly at: string;
  readonly limitInMs: number;
  readonly clock: Clock;
  /** Ends the wait: nobody connects any more. */
  readonly signal: AbortSignal;
}

/**
 * Asks once. Whoever answers too late, or not at all, holds up nobody: the next attempt asks again.
 *
 * @throws {CredentialsError} if there is no answer in time, or none that can be used
 */
export async function askCredentials(
  { ask, at, limitInMs, clock, signal }: CredentialsQuestion,
): Promise<RabbitmqCredentials> {
  const failed = (why: string, cause?: unknown): CredentialsError =>
    new CredentialsError(transportName, at, why, cause === undefined ? {} : { cause });
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
    return checked(await Promise.race([ended, answer(ask, asking.signal, failed)]), failed);
  } finally {
    cancel();
    signal.removeEventListener("abort", stop);
  }
}

/** A callback may also throw at once. */
async function answer(
  ask: CredentialsQuestion["ask"],
  signal: AbortSignal,
  failed: (why: string, cause: unknown) => Error,
): Promise<unknown> {
  try {
    return await ask(signal);
  } catch (error) {
    throw failed(`could not be had: ${textOf(error)}`, error);
  }
}

/** What came is not shown, as a password may be in it. */
function checked(given: unknown, failed: (why: string) => Error): RabbitmqCredentials {
  if (typeof given !== "object" || given === null) {
    throw failed(`came as ${given === null ? "null" : typeof given}`);
  }
  const { username, password } = given as Partial<Record<keyof RabbitmqCredentials, unknown>>;
  if (typeof username !== "string") throw failed("came without a { username } that is a string");
  if (typeof password !== "string") throw failed("came without a { password } that is a string");
  return { username, password };
}
