/** Which of the two ways to delay is taken. Debian's package has no plugin for delays: that way is shown to a stand-in. */
import { assert, assertEquals } from "@std/assert";
import type { Channel } from "amqplib";
import { levels, levelsInMs, makeLevels } from "../../../transports/rabbitmq/delay_levels.ts";
import { step } from "../../../transports/rabbitmq/delay_steps.ts";
import { delayedFor, Delays } from "../../../transports/rabbitmq/delays.ts";
import { test } from "../../support/runner.ts";
import type { RawChannel } from "./broker.ts";
import { type Rig, rig } from "./rig.ts";

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
  await delays.prepare("queue:orders.eu", 1_500);
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

test("rabbitmq: each level is durable, hands on at least once, and what has no way out is kept", async () => {
  const connection = standIn([]);
  await connection.with(makeLevels);
  const { calls } = connection;
  assert(calls.includes(`assertExchange hero.delay.out topic {"alternateExchange":"hero.delay.lost"}`), calls.join());
  const kept = calls.filter((call) => /^assertQueue hero\.delay\.\d/.test(call));
  assertEquals(kept.length, levels);
  for (const call of kept) {
    for (const [argument, value] of [["queue-type", "quorum"], ["dead-letter-strategy", "at-least-once"]]) {
      assert(call.includes(`"x-${argument}":"${value}"`), call);
    }
    assert(call.includes(`"x-overflow":"reject-publish"`), call); // without it the broker hands on at most once
  }
});

test("rabbitmq: the queues keep it where they are asked for, whatever the broker has", async () => {
  const connection = standIn(["x-delayed-message"]);
  const delays = new Delays(connection, "queues");
  await delays.prepare("topic:a", 100);
  assertEquals([connection.asked, delays.route("topic:a", 100).delayInMs], [[], undefined]);
});

test("rabbitmq: what is due later than the levels keep, or the plugin, waits in a row of queues behind them", async () => {
  const connection = standIn(["x-delayed-message"]);
  const delays = new Delays(connection);
  const [to, ms] = ["queue:orders.eu", 2 * levelsInMs + 128] as const;
  await delays.prepare(to, 1_500);
  assert(delays.reaches(to, levelsInMs) && !delays.reaches(to, levelsInMs + 1));
  await delays.prepare(to, ms);
  assert(delays.reaches(to, ms) && delays.reaches(to, 1_500) && !delays.reaches(to, 3 * levelsInMs + 1));
  for (const [name, next] of [["01", "hero.delay.more.out"], ["02", "hero.delay.more.01"]] as const) {
    const made = connection.calls.find((call) => call.startsWith(`assertQueue hero.delay.more.${name} `)) ?? "";
    assert(made.includes(`"x-dead-letter-exchange":"${next}"`), made);
    assert(made.includes(`"x-message-ttl":${levelsInMs}`) && levelsInMs < 2 ** 32, made);
    assert(connection.calls.includes(`bindExchange hero.delay.more.${name} hero.delay.out #.+${Number(name)}`));
  }
  assertEquals(connection.calls.at(-1), "bindQueue orders.eu hero.delay.more.out #.qorders/eu.*");
  const { exchange, routingKey, delayInMs } = delays.route(to, ms);
  assertEquals([exchange, routingKey, delayInMs], ["hero.delay.01", `${"0.".repeat(24)}1.0.qorders/eu.+2`, undefined]);
  assertEquals(delayedFor("hero.delay.more.out", routingKey), to);
  assertEquals(delays.route(to, levelsInMs).exchange, "hero.delayed");
});

rig("what is due later than the levels keep goes from step to step, and then to where it was sent", async (rig) => {
  const topic = rig.name("topic.with.dots");
  const queue = await rig.queue(topic);
  const inbox = await rig.receive(queue, { topics: [topic] });
  const far = rig.name("far");
  // A second more than two steps: all is made within that.
  await rig.send(`topic:${topic}`, far, { dueAt: rig.clock.now() + 2 * levelsInMs + 1_000 });
  await rig.raw(async (channel) => {
    for (const number of [2, 1]) await passStep(rig, channel, step(number), far);
    await rig.came(inbox, 1);
  });
  assertEquals([inbox.only.via, inbox.only.frame.headers["hero-amqp-due"]], [`topic:${topic}`, undefined]);
});

/**
 * Has a message expire that waits in a step: nobody waits for 49 days. All others there are held until the channel ends,
 * as the first alone can expire.
 */
async function passStep(rig: Rig, channel: RawChannel, queue: string, text: string): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    const message = await channel.get(queue);
    if (message === false) await rig.clock.pass(25);
    else if (message.content.toString() === text) {
      channel.ack(message);
      const { headers: { "x-death": _, ...headers } = {}, messageId, contentType } = message.properties;
      const properties = { headers, messageId, contentType, expiration: 1 };
      channel.publish(queue, message.fields.routingKey, message.content, properties);
      return await channel.waitForConfirms();
    }
  }
  throw new Error(`"${text}" did not come to "${queue}"`);
}

rig("where the broker lacks the plugin, that it was asked costs nothing but a moment", async (rig) => {
  const queue = await rig.queue();
  const inbox = await rig.receive(queue);
  await rig.send(`queue:${queue}`, "later", { dueAt: rig.clock.now() + 100 });
  await rig.came(inbox, 1);
  assertEquals([rig.transport.counts.reconnects, rig.transport.counts.connections], [0, 2]);
});
