/** How often the store is written to for each of 1,000 events for one instance, 64 at once. @module */
import { memoryStore } from "../../stores/memory/mod.ts";
import { abreast } from "../support/flow.ts";
import { finish } from "../support/program.ts";
import { counting } from "../../tests/support/counting_store.ts";
import { startSwitches, Submitted, Toggled } from "./switches.ts";

const events = 1_000;
const counts = { commits: 0 };
const { bus, consumed } = await startSwitches({ store: counting(memoryStore(), counts), concurrency: 64 });
const begun = consumed.expect(1);
await bus.publish(Submitted, { id: "1", stamp: 0 });
await begun;
await new Promise((resolve) => setTimeout(resolve, 50));
counts.commits = 0;
const done = consumed.expect(events);
await abreast(64, events, () => bus.publish(Toggled, { id: "1", stamp: 0 }));
await done;
await bus.stop();
await finish(counts.commits / events);
