/** Transactions outside of handlers. @module */
import { UnsupportedError } from "../errors/configuration.ts";
import type { Clock } from "../spi/clock.ts";
import type { JoinableStore, Store } from "../spi/store.ts";
import type { Awaitable } from "../values/awaitable.ts";
import type { Random } from "../values/random.ts";
import { conflictBackoff, isConflict, mostConflicts } from "./beginning.ts";
import type { Storage } from "./storage.ts";
import type { UnitOfWork } from "./unit_of_work.ts";

/** What a transaction needs of its bus. */
export interface TransactionServices {
  readonly clock: Clock;
  readonly random: Random;
  readonly newId: () => string;
}

/**
 * Runs work in a unit of its own, and commits it. Runs it again where another unit was first.
 *
 * @returns what the work that was committed resolved with
 * @throws whatever `work` throws, which undoes it; {@linkcode OutcomeUnknownError} where nobody can tell whether it was
 * committed
 */
export async function transact<Result>(
  storage: Storage,
  { clock, random, newId }: TransactionServices,
  work: (unit: UnitOfWork) => Awaitable<Result>,
): Promise<Result> {
  const backoff = conflictBackoff(random);
  for (let conflicts = 0;; conflicts++) {
    const unit = await storage.begin(storage.scope(newId(), []));
    try {
      const result = await work(unit);
      await unit.commit();
      return result;
    } catch (thrown) {
      await unit.rollback();
      if (!isConflict(thrown) || conflicts >= mostConflicts) throw thrown;
    }
    await new Promise<void>((resolve) => clock.at(clock.now() + backoff(conflicts), resolve));
  }
}

/**
 * Writes into a transaction that the caller has begun, and will commit.
 *
 * @throws {UnsupportedError} if the store cannot
 */
export async function joined<Result>(
  storage: Storage,
  tx: unknown,
  newId: () => string,
  work: (unit: UnitOfWork) => Promise<Result>,
): Promise<Result> {
  const { store } = storage;
  if (!isJoinable(store)) {
    throw new UnsupportedError(store.name, "joining a caller's transaction", `Use bus.transaction()`);
  }
  const unit = storage.join(store, tx, newId());
  try {
    const result = await work(unit);
    await unit.commit();
    return result;
  } catch (thrown) {
    await unit.rollback();
    throw thrown;
  }
}

function isJoinable(store: Store<unknown>): store is JoinableStore<unknown> {
  return "join" in store && typeof store.join === "function";
}
