/** An application whose first message has come through the broker: it says so, and ends. @module */
import process from "node:process";
import { createBus, event } from "../../mod.ts";
import { rabbitmq } from "../../transports/rabbitmq/mod.ts";
import { type Text, text } from "../memory/messages.ts";
import { url } from "./broker.ts";

const TextSent = event<Text>("bench.text-sent");
const bus = createBus({ name: "bench", transport: rabbitmq({ url, queue: { type: "classic" } }) });
bus.endpoint("bench-start").handle(TextSent, () => {
  console.log(JSON.stringify({ value: process.uptime() * 1_000 }));
  // What comes after the first message is not measured.
  void bus.stop().then(() => process.exit(0));
});
await bus.start();
await bus.publish(TextSent, text());
