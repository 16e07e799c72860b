/** The 99th percentile from `publish` to the confirmation's handler, at half of what the consumer can do. @module */
import { halfLoad } from "../support/half_load.ts";
import { place, startConsumer } from "./consumer.ts";
import { single } from "./settings.ts";

await halfLoad({
  start: async (handled) => {
    const bus = await startConsumer(single, ({ stamp }) => handled(stamp));
    return (stamp) => place(bus, stamp);
  },
  counts: { fast: 5_000, warm: 10_000, measured: 10_000 },
});
