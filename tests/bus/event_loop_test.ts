import { assert, assertEquals } from "@std/assert";
import { createBus, event } from "@hero/messaging";
import { test } from "../support/runner.ts";

const Ping = event<{ count: number }>("loop.ping");
const Pong = event<{ count: number }>("loop.pong");

test("two handlers that publish to each other for ever let timers run, and the bus stop", async () => {
  const bus = createBus({ name: "loop" });
  let handled = 0;
  bus.endpoint("pings").handle(Ping, async ({ count }, ctx) => {
    handled++;
    await ctx.publish(Pong, { count: count + 1 });
  });
  bus.endpoint("pongs").handle(Pong, async ({ count }, ctx) => {
    handled++;
    await ctx.publish(Ping, { count: count + 1 });
  });
  await bus.start();
  await bus.publish(Ping, { count: 0 });
  await new Promise((resolve) => setTimeout(resolve, 1));
  assert(handled > 0);
  await bus.stop({ deadline: "5s" });
  const atStop = handled;
  await new Promise((resolve) => setTimeout(resolve, 1));
  assertEquals(handled, atStop);
});

test("a rule that retries for ever at once lets the bus stop at its deadline", async () => {
  const bus = createBus({ name: "loop" });
  const first = Promise.withResolvers<void>();
  bus.endpoint("pings", { recoverability: () => "retry" }).handle(Ping, () => {
    first.resolve();
    throw new Error("never mended");
  });
  await bus.start();
  await bus.publish(Ping, { count: 0 });
  await first.promise;
  await bus.stop({ deadline: "10ms" });
  assertEquals(bus.health().status, "unhealthy");
});
