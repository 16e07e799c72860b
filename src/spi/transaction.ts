/** The open transaction of a context, for stores. @module */
import { shown } from "../errors/shown.ts";
import { NoTransactionError } from "../errors/store.ts";
import type { InUnit, Store } from "./store.ts";

/**
 * What `Store.tx` gives.
 *
 * @param store that is asked
 * @param context as a handler got it
 * @throws {NoTransactionError} if the context has no unit of work, or one of another store
 */
export function transactionOf<Tx>(store: Store<Tx>, context: InUnit): Tx {
  // JavaScript may give anything.
  const given: unknown = context;
  if (typeof given !== "object" || given === null) {
    throw new NoTransactionError(store.name, `${shown(given)} is no context`, "Give the ctx that the handler got");
  }
  const open = context["~unit"];
  if (open === undefined) throw new NoTransactionError(store.name, "this context has no unit of work");
  if (open.store !== store) {
    throw new NoTransactionError(
      store.name,
      `the unit of work of this context is one of another store, "${open.store.name}"`,
    );
  }
  return open.unit.tx as Tx; // made by this very store
}
