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

test("an application that sends one message after the other for ever lets handlers and timers run", async () => {
  const bus = createBus({ name: "loop" });
  let handled = 0;
  bus.endpoint("pings").handle(Ping, () => void handled++);
  await bus.start();
  let timers = 0;
  const timer = setInterval(() => timers++, 0);
  let sent = 0;
  while (timers < 3) await bus.publish(Ping, { count: sent++ });
  clearInterval(timer);
  // What waits is no more than what is sent between two turns: it does not grow with what has been sent.
  assert(sent - handled <= 2 * 4096, `${sent - handled} of ${sent} wait`);
  await bus.stop();
});

test("an application that sends many messages at once is refused none of them", async () => {
  const bus = createBus({ name: "loop" });
  let handled = 0;
  bus.endpoint("pings").handle(Ping, () => void handled++);
  await bus.start();
  const many = 50_000;
  await Promise.all(Array.from({ length: many }, (_, count) => bus.publish(Ping, { count })));
  while (handled < many) await new Promise((resolve) => setTimeout(resolve));
  await bus.stop();
});
