/** How units of deliveries begin. @module */
import { ConfigurationError } from "../errors/configuration.ts";
import { UnreadableMessageError } from "../errors/receiving.ts";
import { ConflictError, DuplicateError } from "../errors/store.ts";
import { toError } from "../errors/thrown.ts";
import { AccessRefusedError, ClosedError, TopologyError } from "../errors/transport.ts";
import { headerText, names } from "../envelope/headers.ts";
import { NumberedKey } from "../envelope/inbox_key.ts";
import { SentEnvelope } from "../envelope/sent_envelope.ts";
import type { Consumption } from "../pipeline/consumption.ts";
import { wait } from "../pipeline/recovery.ts";
import { referred } from "../pipeline/reference.ts";
import { envelopeIn } from "../envelope/kept_frame.ts";
import type { InboxKey } from "../spi/rows.ts";
import type { Scope } from "../spi/store.ts";
import { type Backoff, exponentialBackoff } from "../values/backoff.ts";
import type { Random } from "../values/random.ts";
import { holdBackoff } from "./holding.ts";
import type { Storage } from "./storage.ts";
import type { UnitOfWork } from "./unit_of_work.ts";

/** How often a unit that met another is run again, before that counts as a failed attempt. */
export const mostConflicts = 8;

/** How long to wait before that. */
export function conflictBackoff(random: Random): Backoff {
  return exponentialBackoff({ min: 5, max: "1s", jitter: 1 }, random);
}

/**
 * The place of a message in the inbox of its endpoint.
 *
 * @param now from when on it is kept
 * @throws {UnreadableMessageError} if nothing tells it from others
 */
export function keyOf(
  { envelope, delivery: { frame }, deferral, services }: Consumption,
  now: number = services.clock.now(),
): InboxKey {
  if (referred(frame) !== undefined || envelopeIn(frame) !== undefined || headerText(frame.headers[names.id])) {
    const uuid = envelope instanceof SentEnvelope ? envelope.uuid : undefined;
    return new NumberedKey(services.name, envelope.messageId, deferral, now + services.inboxWindowMs, uuid);
  }
  throw new UnreadableMessageError(`it has no header "${names.id}", by which the endpoint's inbox would know it`);
}

/**
 * Whether an attempt failed as another process has handled one of its messages meanwhile: a handler that opens the
 * transaction late gets that told, and throws it, or what it makes of it.
 */
export function isHandled(thrown: unknown, inbox: readonly InboxKey[]): boolean {
  return causesOf(thrown).some((error) => {
    if (!(error instanceof DuplicateError)) return false;
    const { endpoint, messageId } = error.details;
    return inbox.some((key) => key.endpoint === endpoint && key.messageId === messageId);
  });
}

/** Whether work failed as another was first: it is told that by a statement, and throws it, or what it makes of it. */
export function isConflict(thrown: unknown): boolean {
  return causesOf(thrown).some((error) => error instanceof ConflictError);
}

/** An error and what it came of, the nearest first. */
function causesOf(thrown: unknown): readonly Error[] {
  const all: Error[] = [];
  for (let error = thrown; error instanceof Error && all.length < 10; error = error.cause) all.push(error);
  return all;
}

/**
 * Begins the unit of a delivery, or of several. A store that is away is waited for, and what was delivered is held
 * meanwhile: it is not the message that fails.
 *
 * @param first of those that it is about
 * @param interrupted whether nobody wants it any more
 */
export async function beginUnit(
  storage: Storage,
  scope: Scope,
  first: Consumption,
  interrupted: () => boolean,
): Promise<UnitOfWork> {
  let backoff: Backoff | undefined;
  for (let failures = 0;; failures++) {
    try {
      return await storage.begin(scope, first.services.settling.receiver);
    } catch (thrown) {
      const error = toError(thrown);
      if (interrupted() || isFinal(error)) throw error;
      backoff ??= holdBackoff(first.services.random);
      const letGo = storage.trouble.hold(error, Math.max(1, scope.inbox.length)); // none has a query
      await wait(first, backoff(failures));
      letGo();
      if (interrupted()) throw error;
    }
  }
}

/** Of what several deliveries have in one unit, which the end of one of them does not end. */
export function sharedScope(storage: Storage, first: Consumption, inbox: readonly InboxKey[]): Scope {
  return storage.scope(first.envelope.messageId, inbox, instancesOf(first));
}

/** What its sagas will load, as far as the message itself tells. */
export function instancesOf({ match, values }: Consumption): Scope["instances"] {
  if (match?.stateful !== true) return undefined;
  return () => match.readings.flatMap(({ binding }, at) => binding.instances?.(values[at]) ?? []);
}

/** Waiting mends none of these. */
function isFinal(error: Error): boolean {
  return error instanceof ConfigurationError || error instanceof TopologyError || error instanceof AccessRefusedError ||
    error instanceof ClosedError;
}
