/** What an application does first. @module */
import { createBus, event } from "../../mod.ts";

const bus = createBus({ name: "bench" });
bus.endpoint("texts").handle(event<{ id: string }>("bench.text-sent"), () => {});
await bus.start();
console.log("started");
