/** Which of the two ways to delay is taken. Debian's package has no plugin for delays: that way is shown to a stand-in. */
import { assert, assertEquals } from "@std/assert";
import type { Channel } from "amqplib";
import { delayedFor, Delays } from "../../../transports/rabbitmq/delays.ts";
import { test } from "../../support/runner.ts";
import { rig } from "./rig.ts";

/** A connection of which nothing but its declarations are kept. */
function standIn(types: readonly string[]) {
  const calls: string[] = [];
  const note = (name: string) => (...args: readonly unknown[]) => {
    calls.push([name, ...args.map((each) => typeof each === "string" ? each : JSON.stringify(each))].join(" "));
    return Promise.resolve();
  };
  const channel = new Proxy({}, { get: (_, name) => note(String(name)) }) as Channel;
  return {
    calls,
    asked: [] as string[],
    with: <Result>(use: (channel: Channel) => Promise<Result>) => use(channel),
    knows(type: string) {
      this.asked.push(type);
      return Promise.resolve(types.includes(type));
    },
  };
}

test("rabbitmq: where the broker has the plugin for delays, one exchange of it keeps what is due later", async () => {
  const connection = standIn(["x-delayed-message"]);
  const delays = new Delays(connection);
  await delays.prepare("queue:orders.eu");
  assertEquals(connection.calls.slice(-2), [
    `assertExchange hero.delayed x-delayed-message {"alternateExchange":"hero.delay.lost","arguments":{"x-delayed-type":"direct"}}`,
    "bindQueue orders.eu hero.delayed qorders/eu",
  ]);
  // Whoever looks at it returns what is there, which must not end it.
  assert(connection.calls.some((call) => /^assertQueue hero.delay.lost .*"x-delivery-limit":2147483647/.test(call)));
  const route = delays.route("queue:orders.eu", 1_500.2);
  assertEquals(route, { exchange: "hero.delayed", routingKey: "qorders/eu", delayInMs: 1_501 });
  assertEquals(delayedFor(route.exchange, route.routingKey), "queue:orders.eu");
});

test("rabbitmq: the queues keep it where they are asked for, whatever the broker has", async () => {
  const connection = standIn(["x-delayed-message"]);
  const delays = new Delays(connection, "queues");
  await delays.prepare("topic:a");
  assertEquals([connection.asked, delays.route("topic:a", 100).delayInMs], [[], undefined]);
});

rig("where the broker lacks the plugin, that it was asked costs nothing but a moment", async (rig) => {
  const queue = await rig.queue();
  const inbox = await rig.receive(queue);
  await rig.send(`queue:${queue}`, "later", { dueAt: rig.clock.now() + 100 });
  await rig.came(inbox, 1);
  assertEquals([rig.transport.counts.reconnects, rig.transport.counts.connections], [0, 2]);
});
