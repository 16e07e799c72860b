/** The memory store keeps the promises of a store. */
import { memoryDatabase, memoryStore } from "../../../stores/memory/mod.ts";
import { register, storeConformance } from "../../conformance/store.ts";
import { virtualTime } from "../../conformance/test_clock.ts";

register(
  "memory store",
  storeConformance(() => {
    const database = memoryDatabase();
    return Promise.resolve({
      clock: virtualTime(),
      connect: () => memoryStore({ database }),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
  }),
);
