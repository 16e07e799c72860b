/** The 99th percentile from `publish` to the confirmation's handler, at half of what the consumer can do. @module */
import { halfLoad } from "../support/half_load.ts";
import { temporaryFile } from "../support/stores.ts";
import { place, startConsumer } from "./consumer.ts";

await halfLoad({
  start: async (handled) => {
    const bus = await startConsumer(
      { path: temporaryFile(), synchronous: "normal", concurrency: 64, group: 1 },
      ({ stamp }) => handled(stamp),
    );
    return (stamp) => place(bus, stamp);
  },
  counts: { fast: 10_000, warm: 10_000, measured: 30_000 },
  evenly: true,
});
