/**
 * A process that handles what is in a queue, and is killed: `consumer_process.ts <url> <prefix>`. It says each input that
 * it has handled; whoever reads that is the world that sees its effects.
 */
import { writeSync } from "node:fs";
import process from "node:process";
import { command, createBus } from "../../../mod.ts";
import { rabbitmq } from "../../../transports/rabbitmq/mod.ts";

const [url = "", prefix = ""] = process.argv.slice(2);
const Work = command<{ readonly input: number }>("kill.work");
const bus = createBus({ name: "worker", transport: rabbitmq(url), prefix });
bus.endpoint("work", { concurrency: 8, prefetch: 100 }).handle(Work, async ({ input }) => {
  await new Promise((resolve) => setTimeout(resolve, 1 + input % 5));
  writeSync(1, `${input}\n`); // at once: what is said is done, whatever happens next
});
await bus.start();
writeSync(1, "ready\n");
process.stdin.on("end", () => void bus.stop().then(() => process.exit(0))).resume();
