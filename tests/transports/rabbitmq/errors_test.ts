/** What is in error queues, as operators see it. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { UnsupportedError } from "../../../src/errors/configuration.ts";
import { rabbitmq } from "../../../transports/rabbitmq/mod.ts";
import { topology } from "../../conformance/transport/trial.ts";
import { type Rig, rig } from "./rig.ts";

/** All that `browse` gives, page by page. */
async function pages(rig: Rig, queue: string, limit: number): Promise<readonly string[]> {
  const { admin } = rig.transport;
  assert(admin !== undefined);
  const texts: string[] = [];
  let from: string | undefined;
  do {
    const page = await admin.browse(queue, from, limit);
    texts.push(...page.items.map(({ frame }) => new TextDecoder().decode(frame.body)));
    from = page.next;
  } while (from !== undefined);
  return texts;
}

/** How often the first message of a queue has come back. */
async function returnsOf(rig: Rig, queue: string): Promise<unknown> {
  return await rig.raw(async (channel) => {
    const message = await channel.get(queue, { noAck: true });
    return message !== false && (message.properties.headers?.["x-delivery-count"] ?? 0);
  });
}

async function filled(rig: Rig, queue: string, count: number): Promise<readonly string[]> {
  const texts = Array.from({ length: count }, (_, at) => String(at));
  await Promise.all(texts.map((text) => rig.send(`queue:${queue}`, text)));
  return texts;
}

rig("a listing of many pages is one look: a quorum queue counts one return", async (rig) => {
  const queue = await rig.queue();
  const texts = await filled(rig, queue, 50);
  assertEquals(await pages(rig, queue, 7), texts);
  assertEquals(await returnsOf(rig, queue), 1);
});

rig("of two listings at a time, each gives all, and what comes meanwhile to the later", async (rig) => {
  const queue = await rig.queue();
  await filled(rig, queue, 10);
  const { admin } = rig.transport;
  const first = await admin?.browse(queue, undefined, 6);
  await rig.send(`queue:${queue}`, "10");
  const second = await admin?.browse(queue, undefined, 6);
  const rest = async (from: string | undefined) => (await admin?.browse(queue, from, 100))?.items.length;
  assertEquals([first?.items.length, await rest(first?.next)], [6, 4]);
  assertEquals([second?.items.length, await rest(second?.next)], [6, 5]);
});

rig("a queue that drops what was returned a few times is not looked at", async (rig) => {
  const queue = rig.name("orders_error");
  rig.owns(topology([queue]));
  await rig.raw((channel) =>
    channel.assertQueue(queue, { arguments: { "x-queue-type": "quorum", "x-delivery-limit": 5 } })
  );
  await rig.send(`queue:${queue}`, "kept");
  const error = await assertRejects(() => pages(rig, queue, 10), UnsupportedError, queue);
  assert(error.message.includes("more than 5 times"), error.message);
  assertEquals(await returnsOf(rig, queue), 0);
});

rig("classic queues may be looked at, whoever made them", async (rig) => {
  const queue = rig.name("orders_error");
  rig.owns(topology([queue]));
  await rig.raw((channel) => channel.assertQueue(queue));
  assertEquals(await pages(rig, queue, 10), []);
  assertEquals(await filled(rig, queue, 3), await pages(rig, queue, 2));
});

rig("a queue returns a hundred times unless told otherwise, one that keeps what failed for ever", async (rig) => {
  const queue = rig.name("queue");
  await rig.transport.deploy(topology([queue, `${queue}_error`, `${queue}_skipped`]), "apply");
  await rig.raw(async (channel) => {
    // Refused if anything differs.
    const quorum = (limit: number, more = {}) => ({
      arguments: { "x-queue-type": "quorum", "x-delivery-limit": limit, ...more },
    });
    const dead = { "x-dead-letter-exchange": "hero.dead", "x-dead-letter-routing-key": `${queue}_error` };
    await channel.assertQueue(queue, quorum(100, dead));
    for (const kept of ["_error", "_skipped"]) await channel.assertQueue(queue + kept, quorum(2 ** 31 - 1));
  });
});

rig("a limit for all queues is not one for those that keep what failed", async (rig) => {
  const queue = rig.name("queue");
  await rig.transport.deploy(topology([queue, `${queue}_error`]), "apply");
  await rig.raw(async (channel) => {
    const kept = { "x-queue-type": "quorum", "x-delivery-limit": 2 ** 31 - 1 };
    await channel.assertQueue(`${queue}_error`, { arguments: kept });
  });
  const [change] = await rig.transport.deploy({
    ...topology([]),
    queues: [{ name: queue, extensions: [rabbitmq.queue({ deliveryLimit: 8 })] }, {
      name: `${queue}_error`,
      extensions: [],
    }],
  }, "plan");
  assert(change?.detail.includes("x-delivery-limit"), change?.detail);
}, { queue: { deliveryLimit: 7 } });
