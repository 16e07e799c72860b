/** Whole buses on a broker that is away, whose queues vanish, or whose queues are another's. */
import { assert, assertEquals } from "@std/assert";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "amqplib";
import { type Bus, command, createBus } from "../../mod.ts";
import { rabbitmq, type RabbitmqQueueOptions } from "../../transports/rabbitmq/mod.ts";
import { eventually, realTime } from "../conformance/test_clock.ts";
import { test } from "../support/runner.ts";
import { canStartRabbitmq, type RabbitmqNode, startRabbitmqNode } from "../support/servers/rabbitmq.ts";
import { share } from "../support/share.ts";
import { skipUnlessRequired } from "../support/required.ts";

const skip = skipUnlessRequired(
  canStartRabbitmq() ? undefined : "no RabbitMQ of Debian here: apt-get install rabbitmq-server",
);
const clock = realTime();
/** Beside the one at the usual port, and those of other files. */
const port = 5693;
const patienceInMs = 60_000;
const Work = command<{ readonly input: number }>("failure.work");

/** Registers a test with a node of its own. */
function onNode(name: string, run: (node: RabbitmqNode) => Promise<void>): void {
  test(`rabbitmq: ${name}`, async () => {
    const node = await startRabbitmqNode({ port, directory: mkdtempSync(join(tmpdir(), "hero-rabbitmq-")) });
    try {
      await run(node);
    } finally {
      await node[Symbol.asyncDispose]();
    }
  }, { skip, timeoutInMs: 300_000 });
}

/** A bus whose one endpoint counts how often it has handled each input. */
function worker(
  url: string,
  queue: RabbitmqQueueOptions = {},
): { readonly bus: Bus; readonly handled: Map<number, number> } {
  const handled = new Map<number, number>();
  const bus = createBus({ name: "worker", transport: rabbitmq({ url, heartbeat: "2s", queue }) });
  bus.endpoint("work").handle(Work, ({ input }) => void handled.set(input, (handled.get(input) ?? 0) + 1));
  return { bus, handled };
}

onNode(
  "a bus may start before its broker, works, and stops within its deadline while the broker is away",
  async (node) => {
    await node.kill();
    const { bus, handled } = worker(node.url);
    const started = bus.start();
    await clock.pass(500); // a few attempts in vain
    await node.start();
    await started;
    await bus.send(Work, { input: 1 });
    await eventually(clock, "the first", () => handled.has(1), patienceInMs);
    await node.kill();
    const held = Promise.allSettled(Array.from({ length: 100 }, (_, at) => bus.send(Work, { input: 2 + at })));
    const begin = performance.now();
    await bus.stop({ deadline: "2s" });
    const took = performance.now() - begin;
    assert(took < 5_000, `It took ${Math.round(took)} ms to stop with a deadline of 2 s`);
    const told = await held;
    const failed = told.filter(({ status }) => status === "rejected").length;
    assertEquals(failed, 100, "Of messages that no broker has, senders were told that it has them");
  },
);

onNode("a queue that is deleted under its consumer is made again; what is refused meanwhile is told", async (node) => {
  const { bus, handled } = worker(node.url);
  await bus.start();
  const connection = await connect(node.url);
  const channel = await connection.createChannel();
  let next = 0;
  let refused = 0;
  /** Sends until it is taken, as whoever is told that it was not would. */
  const send = async (input: number): Promise<void> => {
    const end = clock.now() + patienceInMs;
    for (;;) {
      try {
        return await bus.send(Work, { input });
      } catch (error) {
        const { code } = error as { readonly code?: string };
        assert(code === "HERO_UNROUTABLE" && clock.now() < end, `It failed with ${code}`);
        refused++;
        await clock.pass(10);
      }
    }
  };
  const times = share(10);
  for (let time = 0; time < times; time++) {
    await Promise.all(Array.from({ length: 100 }, () => send(next++)));
    // What is in it when it is deleted is gone, as whoever deletes it wants: so nothing is.
    await eventually(clock, "all to be handled", () => handled.size === next, patienceInMs);
    await channel.deleteQueue("work");
    await Promise.all(Array.from({ length: 100 }, () => send(next++)));
    await eventually(clock, "all to be handled", () => handled.size === next, patienceInMs);
  }
  const twice = [...handled.values()].filter((count) => count > 1).length;
  console.log(`${twice} of ${next} were handled more than once, ${refused} were refused and sent again`);
  const { status } = await bus.health();
  assertEquals(status, "healthy");
  await connection.close();
  await bus.stop();
});

onNode("of two buses whose queue is to be different, the second is told why, and the first goes on", async (node) => {
  const first = worker(node.url, { type: "classic" });
  await first.bus.start();
  const connections = async (): Promise<number> =>
    (await node.control("-q", "list_connections", "pid")).split("\n").filter((line) => line.startsWith("<")).length;
  for (let attempt = 0; attempt < 3; attempt++) {
    const second = worker(node.url, { type: "quorum" });
    let error: unknown;
    try {
      await second.bus.start();
    } catch (thrown) {
      error = thrown;
    }
    assert(error instanceof Error, "It started");
    assertEquals((error as { readonly code?: string }).code, "HERO_TOPOLOGY");
    for (const word of ["x-queue-type", "classic", "quorum", "work"]) {
      assert(error.message.includes(word), `It does not name "${word}": ${error.message}`);
    }
    await first.bus.send(Work, { input: attempt });
  }
  await eventually(clock, "all to be handled", () => first.handled.size === 3, patienceInMs);
  // No crash loop: nobody of those that were refused is there any more.
  const end = clock.now() + patienceInMs;
  for (let count = await connections(); count !== 2; count = await connections()) {
    assert(clock.now() < end, `There are ${count} connections, and the first bus has two`);
    await clock.pass(500);
  }
  await first.bus.stop();
});
