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

/**
 * Sends until it is taken: a quorum queue that has lost its leader refuses what comes until it has another.
 *
 * @returns how often it was refused
 */
async function insist(bus: Bus, input: number, options: SendOptions = {}): Promise<number> {
  const end = clock.now() + patienceInMs;
  let pause = 10;
  for (let refused = 0;; refused++) {
    try {
      await bus.send(Work, { input }, options);
      return refused;
    } catch (error) {
      const { code } = error as { readonly code?: string };
      assert(code === "HERO_NOT_CONFIRMED" && clock.now() < end, `It failed with ${code}`);
      // As whoever sends would: thousands that come again at once leave no processor for the election.
      await clock.pass(pause);
      pause = Math.min(2 * pause, 1000);
    }
  }
}

/**
 * Whether what falls due comes while a node is away. Before RabbitMQ 3.12.5, whatever hands on what has expired knows the
 * next queue by its leader at the first such message. Is that the node that is away, as another is not elected yet, all
 * is refused until it is back: as often as one tries, once each `dead_letter_worker_publisher_confirm_timeout`.
 */
async function handsOnMeanwhile(node: RabbitmqNode): Promise<boolean> {
  const version = (await node.control("version")).trim();
  const [major = 0, minor = 0, patch = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
  return major > 3 || (major === 3 && (minor > 12 || (minor === 12 && patch >= 5)));
}

/** Waits until a worker has handled inputs; where that is in vain, it tells which are missing and where they may be. */
async function handlesAll(
  handled: ReadonlyMap<number, number>,
  inputs: () => readonly number[],
  when: string,
  node: RabbitmqNode,
): Promise<void> {
  const missing = () => inputs().filter((input) => !handled.has(input));
  await eventually(clock, `all to be handled ${when}`, () => missing().length === 0, patienceInMs).catch(
    async (error) => {
      const columns = ["name", "messages", "messages_unacknowledged", "consumers", "state"];
      const queues = await node.control("list_queues", ...columns);
      const [some] = missing();
      throw new Error(`${missing().length} of ${inputs().length} are missing, from ${some} on; ${queues}`, {
        cause: error,
      });
    },
  );
}

onCluster("of a cluster's nodes each is killed once: nothing is lost, and the bus goes on beside it", async (nodes) => {
  const { bus, handled } = worker(nodes);
  await bus.start();
  const count = share(3_000);
  const later = share(300);
  const meanwhile = await handsOnMeanwhile(nodes[0]);
  const sent: number[] = [];
  /** Of those, what need not wait for the node that is away. */
  const prompt: number[] = [];
  let refused = 0;
  const send = async (options?: SendOptions): Promise<void> => {
    const input = sent.length;
    sent.push(input);
    if (options === undefined || meanwhile) prompt.push(input);
    refused += await insist(bus, input, options);
  };
  for (const [at, node] of nodes.entries()) {
    const other = nodes[(at + 1) % nodes.length] ?? node;
    await Promise.all(Array.from({ length: later }, () => send({ delay: "3s" })));
    const due = clock.now() + 3_000;
    let killed: Promise<void> | undefined;
    const all: Promise<void>[] = [];
    for (let each = 0; each < count; each++) {
      if (each === Math.floor(count / 2)) killed = node.kill();
      all.push(send());
      if (each % 50 === 0) await clock.pass(5);
    }
    await Promise.all(all); // while it is away
    await killed;
    await handlesAll(handled, () => prompt, "while a node is away", other);
    assertEquals(bus.health().status, "healthy");
    await clock.pass(Math.max(0, due - clock.now())); // it falls due while a node is away, wherever it is handed on
    await node.start();
    await node.control("await_startup");
    await handlesAll(handled, () => sent, "with all nodes there", other);
  }
  const twice = [...handled.values()].filter((times) => times > 1).length;
  console.log(`${twice} of ${sent.length} were handled more than once, ${refused} were refused and sent again`);
});

onCluster("what falls due while its queue has no leader comes, at the latest when its node is back", async (nodes) => {
  const [first, ...others] = nodes;
  const { bus, handled } = worker(nodes);
  await bus.start(); // the first node has made all there is, and leads it
  await bus.send(Work, { input: 0 }, { delay: "1s" });
  await handlesAll(handled, () => [0], "before that", first);
  const meanwhile = await handsOnMeanwhile(first);
  // Nobody is elected until they go on.
  for (const other of others) await other.evaluate("ok = sys:suspend('%2F_work').");
  const delayed = Array.from({ length: 20 }, (_, at) => 1 + at);
  await Promise.all(delayed.map((input) => bus.send(Work, { input }, { delay: "5s" })));
  const due = clock.now() + 5_000;
  await first.kill();
  const [other = first] = others;
  /** Whether all are in one queue of the delays still, as its new leader says. */
  const waits = async () =>
    (await other.control("-q", "list_queues", "name", "messages")).split("\n")
      .some((line) => line.startsWith("hero.delay.") && line.endsWith(`\t${delayed.length}`));
  while (clock.now() < due || !await waits()) {
    assert(clock.now() < due + patienceInMs, "Nobody has what is due");
    await clock.pass(500);
  }
  for (const each of others) await each.evaluate("ok = sys:resume('%2F_work').");
  const prompt = 1 + delayed.length;
  await insist(bus, prompt);
  await handlesAll(handled, () => meanwhile ? [prompt, ...delayed] : [prompt], "while the node is away", other);
  await first.start();
  await handlesAll(handled, () => [prompt, ...delayed], "with the node back", other);
  await eventually(clock, "it to be well", () => bus.health().status === "healthy", patienceInMs);
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
