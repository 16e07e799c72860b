/** A store that is watched. */
import type { Store } from "../../src/spi/store.ts";

/** A store of which the commits are counted that change an instance, those that fail among them. */
export function counting<Tx>(store: Store<Tx>, counts: { commits: number }): Store<Tx> {
  const promising = replacing(store, "beginNow", undefined);
  return replacing(promising, "begin", async (scope) => {
    const unit = await store.begin(scope);
    return replacing(replacing(unit, "commitNow", undefined), "commit", (changes) => {
      if (changes.sagas.length > 0) counts.commits++;
      return unit.commit(changes);
    });
  });
}

/** An object with one of its methods replaced. */
function replacing<T extends object, K extends keyof T>(target: T, method: K, instead: T[K]): T {
  return new Proxy(target, {
    get(_, key) {
      if (key === method) return instead;
      const value: unknown = Reflect.get(target, key);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
