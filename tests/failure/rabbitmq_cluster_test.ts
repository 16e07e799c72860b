/** A cluster of which one node after the other is killed: what it had moves on, and what was in it alone waits for it. */
import { assert, assertEquals } from "@std/assert";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Bus, command, createBus, type SendOptions } from "../../mod.ts";
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
const ports = [5695, 5696, 5697] as const;
const patienceInMs = 120_000;
const Work = command<{ readonly input: number }>("cluster.work");

/** What a test made: no other may find it at work on the next nodes of the ports. */
const buses = new Set<Bus>();

type Cluster = readonly [RabbitmqNode, RabbitmqNode, RabbitmqNode];

/** Registers a test with three nodes of its own, which are one broker. */
function onCluster(name: string, run: (nodes: Cluster) => Promise<void>): void {
  test(`rabbitmq: ${name}`, async () => {
    const started: RabbitmqNode[] = [];
    const start = async (port: number): Promise<RabbitmqNode> => {
      const directory = mkdtempSync(join(tmpdir(), "hero-rabbitmq-"));
      writeFileSync(join(directory, ".erlang.cookie"), "HEROCLUSTER", { mode: 0o400 });
      const node = await startRabbitmqNode({ port, directory });
      started.push(node);
      return node;
    };
    try {
      const [first, second, third] = [await start(ports[0]), await start(ports[1]), await start(ports[2])];
      for (const node of [second, third]) {
        await node.control("stop_app");
        await node.control("reset");
        await node.control("join_cluster", `hero${first.port}@localhost`);
        await node.control("start_app");
      }
      await run([first, second, third]);
    } finally {
      for (const bus of buses) await bus.stop({ deadline: "1s" });
      buses.clear();
      for (const node of started) await node[Symbol.asyncDispose]();
    }
  }, { skip, timeoutInMs: 600_000 });
}

/** A bus whose one endpoint counts how often it has handled each input; it knows the nodes in the order given. */
function worker(
  nodes: readonly RabbitmqNode[],
  queue: RabbitmqQueueOptions = {},
): { readonly bus: Bus; readonly handled: Map<number, number> } {
  const handled = new Map<number, number>();
  const bus = createBus({
    name: "worker",
    transport: rabbitmq({ url: nodes.map(({ url }) => url), heartbeat: "2s", queue }),
  });
  buses.add(bus);
  bus.endpoint("work").handle(Work, ({ input }) => void handled.set(input, (handled.get(input) ?? 0) + 1));
  return { bus, handled };
}

onCluster("of a cluster's nodes each is killed once: nothing is lost, and the bus goes on beside it", async (nodes) => {
  const { bus, handled } = worker(nodes);
  await bus.start();
  const count = share(3_000);
  const later = share(300);
  let sent = 0;
  let refused = 0;
  /** Sends until it is taken: a quorum queue that has lost its leader refuses what comes until it has another. */
  const send = async (input: number, options: SendOptions = {}): Promise<void> => {
    const end = clock.now() + patienceInMs;
    let pause = 10;
    for (;;) {
      try {
        return await bus.send(Work, { input }, options);
      } catch (error) {
        const { code } = error as { readonly code?: string };
        assert(code === "HERO_NOT_CONFIRMED" && clock.now() < end, `It failed with ${code}`);
        refused++;
        // As whoever sends would: thousands that come again at once leave no processor for the election.
        await clock.pass(pause);
        pause = Math.min(2 * pause, 1000);
      }
    }
  };
  for (const node of nodes) {
    const delayed = Array.from({ length: later }, () => send(sent++, { delay: "3s" }));
    await Promise.all(delayed);
    let killed: Promise<void> | undefined;
    const all: Promise<void>[] = [];
    for (let at = 0; at < count; at++) {
      if (at === Math.floor(count / 2)) killed = node.kill();
      all.push(send(sent++));
      if (at % 50 === 0) await clock.pass(5);
    }
    await Promise.all(all); // while it is away
    await killed;
    await eventually(clock, "all to be handled", () => handled.size === sent, patienceInMs).catch(async (error) => {
      const missing = Array.from({ length: sent }, (_, input) => input).filter((input) => !handled.has(input));
      const left = nodes.find((each) => each !== node);
      const queues = await left?.control(
        "list_queues",
        "name",
        "messages",
        "messages_unacknowledged",
        "consumers",
        "state",
      );
      throw new Error(`${missing.length} of ${sent} are missing, from ${missing[0]} on; ${queues}`, { cause: error });
    });
    assertEquals(bus.health().status, "healthy");
    await node.start();
    await node.control("await_startup");
  }
  const twice = [...handled.values()].filter((times) => times > 1).length;
  console.log(`${twice} of ${sent} were handled more than once, ${refused} were refused and sent again`);
});

onCluster("a queue whose only node is killed is told of, and consumed from when it is back", async (nodes) => {
  const [home, ...others] = nodes;
  const owner = worker([home], { type: "classic" });
  await owner.bus.deploy("apply"); // there, so that the queue is there
  await owner.bus.stop();
  const { bus, handled } = worker(others, { type: "classic" });
  await bus.start();
  await bus.send(Work, { input: 0 });
  await eventually(clock, "the first", () => handled.size === 1, patienceInMs);
  await bus.pause("work");
  await bus.send(Work, { input: 1 });
  await home.kill();
  await bus.resume("work");
  await eventually(clock, "it to be told", () => bus.health().status === "degraded", patienceInMs);
  const told = await bus.send(Work, { input: 2 }).then(
    () => "taken",
    (error: { readonly code?: string }) => error.code,
  );
  assert(told === "HERO_UNROUTABLE" || told === "HERO_NOT_CONFIRMED", `It was told that it is ${told}`);
  await home.start();
  await eventually(clock, "what waited", () => handled.has(1), patienceInMs);
  await bus.send(Work, { input: 3 });
  await eventually(clock, "the last", () => handled.has(3), patienceInMs);
  await eventually(clock, "it to be well", () => bus.health().status === "healthy", patienceInMs);
});
