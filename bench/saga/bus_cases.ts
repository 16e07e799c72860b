/** Transitions through the bus, per second. @module */
import { memoryStore } from "../../stores/memory/mod.ts";
import { postgres } from "../../stores/postgres/mod.ts";
import type { Store } from "../../src/spi/store.ts";
import { abreast } from "../support/flow.ts";
import type { Case, Work } from "../support/program.ts";
import { removeSchema, schema, url } from "../support/stores.ts";
import { naive } from "./naive.ts";
import { orders } from "./orders.ts";
import { startSwitches, Toggled } from "./switches.ts";

/** So many publishers, each awaiting its own. */
const publishers = 100;
const live = 1_000_000;

/** Instances that are there, in the store itself: rows as the saga writes them. */
async function fill(store: Store<unknown>, count: number): Promise<void> {
  const atOnce = 10_000;
  const data = new TextEncoder().encode(`{"data":{"total":0,"name":"switch"}}`);
  for (let first = 0; first < count; first += atOnce) {
    const unit = await store.begin({ bus: "bench", partition: "", inbox: [], signal: new AbortController().signal });
    const sagas = Array.from({ length: Math.min(atOnce, count - first) }, (_, at) => ({
      before: undefined,
      after: {
        saga: "switch",
        id: String(first + at),
        incarnation: "a",
        version: 1,
        schema: 1,
        state: "off",
        data,
        types: undefined,
        index: {},
      },
    }));
    await unit.commit({ sagas, outbox: [], schedules: [] });
  }
}

/** Events for a thousand instances in turn, of so many that there are. */
function among(instances: number): () => Promise<Work> {
  return async () => {
    const store = memoryStore();
    const { bus, consumed } = await startSwitches({ store, concurrency: 64 });
    await fill(store, instances);
    const step = Math.max(1, Math.floor(instances / 1_000));
    let number = 0;
    return async (count) => {
      const done = consumed.expect(count);
      await abreast(
        publishers,
        count,
        () => bus.publish(Toggled, { id: String(++number * step % instances), stamp: 0 }),
      );
      await done;
    };
  };
}

/** By the names that `run.ts` and the report use. */
export const cases: Readonly<Record<string, Case>> = {
  "reference": { count: 200_000, prepare: () => orders(true) },
  "serialized": { count: 400_000, prepare: () => orders(false) },
  "among-1000": { count: 200_000, warmUp: 1, prepare: among(1_000) },
  "among-1000000": { count: 200_000, warmUp: 1, prepare: among(live) },
  "postgres": {
    count: 20_000,
    warmUp: 1,
    prepare: async () => {
      await removeSchema();
      const store = postgres({ url, schema, max: 10 }) as Store<unknown>;
      const confirmed = Promise.withResolvers<void>();
      let left = 0;
      let done = confirmed;
      const { bus } = await startSwitches({
        store,
        concurrency: 8,
        confirms: true,
        confirmed: () => {
          if (--left === 0) done.resolve();
        },
      });
      await fill(store, 1_000);
      let number = 0;
      return async (count) => {
        left = count;
        done = Promise.withResolvers<void>();
        await abreast(publishers, count, () => bus.publish(Toggled, { id: String(++number % 1_000), stamp: 0 }));
        await done.promise;
      };
    },
  },
  "postgres-naive": { count: 20_000, warmUp: 1, prepare: () => naive(8) },
};
