/** Figures that every store has to reach: they are those of the worst. @module */
import { type Figure, type Measure, shown } from "./figure.ts";
import { server, type StoreName } from "./stores.ts";

const all: readonly StoreName[] = ["memory", "sqlite", "postgres"];

/** The lowest of what the stores have. One without its server is left out, and said to be. */
export function lowest(name: string, unit: string, of: (store: StoreName) => Measure, stores = all): Figure {
  return worst(name, unit, of, stores, Math.min);
}

/** The highest of what the stores have. */
export function highest(name: string, unit: string, of: (store: StoreName) => Measure, stores = all): Figure {
  return worst(name, unit, of, stores, Math.max);
}

function worst(
  name: string,
  unit: string,
  of: (store: StoreName) => Measure,
  stores: readonly StoreName[],
  choose: (...values: readonly number[]) => number,
): Figure {
  return {
    name,
    unit,
    needs: [],
    run: async (setting) => {
      const values = new Map<StoreName, number>();
      const without: string[] = [];
      for (const store of stores) {
        const reason = store === "postgres" ? await server(setting.runtime) : undefined;
        if (reason === undefined) values.set(store, await of(store)(setting));
        else without.push(`without ${store}: ${reason}`);
      }
      const sides = [...values].map(([store, value]) => `${store} ${shown(value)}`);
      return { value: choose(...values.values()), sides: [...sides, ...without].join(", ") };
    },
  };
}
