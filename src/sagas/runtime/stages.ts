/** What the messages of sagas pass beside those of handlers. @module */
import type { Binding } from "../../pipeline/bindings.ts";
import type { Consumption } from "../../pipeline/consumption.ts";
import type { Run, Stage } from "../../pipeline/stage.ts";
import { isPromise } from "../../values/awaitable.ts";
import { KeyedLocks } from "../../values/keyed_locks.ts";
import type { SagaDefinition } from "../definition.ts";
import type { SagaPart } from "./part.ts";
import { InstanceBusyError, Reservation } from "./reservation.ts";

/** What sagas have their endpoint handle, by its bindings. */
export type SagaParts = ReadonlyMap<Binding, SagaPart>;

/**
 * Has the messages of an instance handled one at a time in this process, from before a unit begins until it has ended:
 * who waits for an instance holds nothing of the store. Other instances pass.
 */
export function oneAtATime(parts: SagaParts): Stage {
  const locks = new KeyedLocks();
  const asks = anyAsks(parts);
  const named = namedIn(parts);
  return {
    name: "one at a time of an instance",
    around: (next) => (consumption) => {
      if (consumption.match?.stateful !== true) return next(consumption);
      const names = namesOf(consumption, parts, named);
      // Nobody else has anything to say to it, and most are for one: nothing is made to hold that.
      if (!asks && names.length === 1) return alone(consumption, locks, names, next);
      const reservation = new Reservation(locks, names);
      if (asks) reservation.attach(consumption);
      return reserved(consumption, reservation, next);
    },
  };
}

/** Whether any has messages that do not say themselves which instance they are for. */
function anyAsks(parts: SagaParts): boolean {
  return [...parts.values()].some(({ lookUp }) => lookUp !== undefined);
}

/** Of one instance. */
function alone(
  consumption: Consumption,
  locks: KeyedLocks,
  names: readonly string[],
  next: Run,
): void | Promise<void> {
  const name = names[0]!; // the one
  if (!locks.tryAcquire(name)) return awaited(consumption, new Reservation(locks, names), next, undefined);
  const running = run(consumption, next);
  if (isPromise(running)) return awaited(consumption, Reservation.holding(locks, names), next, running);
  locks.release(name);
}

/** With no promise where nothing has to be waited for. */
function reserved(consumption: Consumption, reservation: Reservation, next: Run): void | Promise<void> {
  if (!reservation.tryTake()) return awaited(consumption, reservation, next, undefined);
  const running = run(consumption, next);
  if (isPromise(running)) return awaited(consumption, reservation, next, running);
  reservation.release();
}

/** Never throws. */
function run(consumption: Consumption, next: Run): void | Promise<void> {
  try {
    return next(consumption);
  } catch (thrown) {
    return Promise.reject(thrown);
  }
}

/** @param first what runs already, in the reservation */
async function awaited(
  consumption: Consumption,
  reservation: Reservation,
  next: Run,
  first: Promise<void> | undefined,
): Promise<void> {
  for (let running = first;; running = undefined) {
    if (running === undefined && !reservation.tryTake()) await reservation.take(consumption.signal);
    try {
      return await (running ?? next(consumption));
    } catch (thrown) {
      // Its unit has been rolled back: now it can wait for what it has found.
      if (!(thrown instanceof InstanceBusyError)) throw thrown;
    } finally {
      reservation.release();
    }
  }
}

/** The names of the locks of a saga's instances. */
type Named = (saga: SagaDefinition, ids: readonly string[]) => readonly string[];

/** On an endpoint of one saga, as most are, an id is a name: each name that is made is one more text to be hashed. */
function namedIn(parts: SagaParts): Named {
  const sagas = new Set([...parts.values()].map(({ saga }) => saga));
  // A saga's name has no such character.
  return sagas.size === 1 ? (_, ids) => ids : ({ name }, ids) => ids.map((id) => `${name}\u0000${id}`);
}

function namesOf(consumption: Consumption, parts: SagaParts, named: Named): readonly string[] {
  const readings = consumption.match?.readings ?? [];
  const [only] = readings;
  if (only === undefined) return [];
  if (readings.length === 1) return namesIn(parts.get(only.binding), consumption.value, named);
  const { values } = consumption;
  return readings.flatMap(({ binding }, at) => namesIn(parts.get(binding), values[at], named));
}

function namesIn(part: SagaPart | undefined, message: unknown, named: Named): readonly string[] {
  return part === undefined ? [] : named(part.saga, part.ids(message));
}

/** Asks the store, in the unit and before any middleware, which instances a message is for that does not say so. */
export function lookedUp(parts: SagaParts): Stage {
  const asks = anyAsks(parts);
  const named = namedIn(parts);
  return {
    name: "instances",
    around: (next) =>
      !asks ? next : (consumption) => {
        if (consumption.match?.stateful !== true) return next(consumption);
        const asking = askingOf(consumption, parts);
        return asking.length === 0 ? next(consumption) : ask(consumption, asking, named, next);
      },
  };
}

type Asking = readonly { readonly part: SagaPart; readonly message: unknown }[];

function askingOf(consumption: Consumption, parts: SagaParts): Asking {
  return (consumption.match?.readings ?? []).flatMap(({ binding }, at) => {
    const part = parts.get(binding);
    return part?.lookUp === undefined ? [] : [{ part, message: consumption.values[at] }];
  });
}

async function ask(consumption: Consumption, asking: Asking, named: Named, next: Run): Promise<void> {
  const reservation = Reservation.of(consumption);
  const locks: string[] = [];
  for (const { part, message } of asking) {
    const found = await part.lookUp?.(consumption, message);
    if (found === undefined) continue;
    reservation?.found.set(part, found);
    locks.push(...named(part.saga, found.ids));
  }
  reservation?.add(locks);
  await next(consumption);
}
