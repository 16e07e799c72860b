/** `deno task bench`: making and starting a bus once the modules are loaded; the report counts them, too. @module */
import { createBus, event } from "../../mod.ts";
import { benchCases } from "../support/bench.ts";

const TextSent = event<{ id: string }>("bench.text-sent");

await benchCases("core", {
  "createBus, start, stop": {
    count: 2000,
    prepare: () =>
      Promise.resolve(async (count) => {
        for (let i = 0; i < count; i++) {
          const bus = createBus({ name: "bench" });
          bus.endpoint("texts").handle(TextSent, () => {});
          await bus.start();
          await bus.stop();
        }
      }),
  },
});
