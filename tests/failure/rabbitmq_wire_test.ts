/** Wires that break, stall, swallow, lose, delay and crumble, at places of a seed: nothing is lost, and all is well again. */
import { assertEquals } from "@std/assert";
import type { Outgoing } from "../../src/spi/transport.ts";
import { seededRandom } from "../../src/values/random.ts";
import { rabbitmq } from "../../transports/rabbitmq/mod.ts";
import { eventually, realTime } from "../conformance/test_clock.ts";
import { Inbox, text } from "../conformance/transport/inbox.ts";
import { frame, topology } from "../conformance/transport/trial.ts";
import { test } from "../support/runner.ts";
import { usualPort } from "../support/servers/rabbitmq.ts";
import { share } from "../support/share.ts";
import { raw, skip } from "../transports/rabbitmq/broker.ts";
import { RoughWire } from "./rabbitmq/rough_wire.ts";

const clock = realTime();
const rounds = share(60);
const count = 400;
/** Connections of a round that come to harm. */
const harmed = 6;
const patienceInMs = 60_000;
const run = Math.floor(performance.timeOrigin + performance.now()).toString(36);

/** Tries again what fails while the wire is down, as whoever calls it would. */
async function persistently<Result>(what: string, act: () => Promise<Result>): Promise<Result> {
  const end = clock.now() + patienceInMs;
  for (;;) {
    try {
      return await act();
    } catch (error) {
      const { code } = error as { readonly code?: string };
      if (code !== "HERO_DISCONNECTED" || clock.now() > end) throw new Error(`Cannot ${what}`, { cause: error });
      await clock.pass(20);
    }
  }
}

/** One round; gives what was done to it, and how many came more than once. */
async function round(seed: number): Promise<{ readonly done: readonly string[]; readonly twice: number }> {
  const random = seededRandom(seed);
  const wire = await RoughWire.to(usualPort, random, harmed);
  const queue = `rough-${run}-${seed}`;
  const transport = rabbitmq({
    url: `amqp://127.0.0.1:${wire.port}`,
    heartbeat: "1s",
    connectTimeout: "2s",
    queue: { type: seed % 2 === 0 ? "classic" : "quorum" },
  });
  const states: string[] = [];
  try {
    const signal = AbortSignal.timeout(patienceInMs);
    await transport.open({ bus: "rough", clock, signal, status: ({ state }) => states.push(state) });
    await persistently("deploy", () => transport.deploy(topology([queue]), "apply"));
    const came = new Map<string, number>();
    const violations: string[] = [];
    const inbox = new Inbox(50, violations, () => clock.now());
    inbox.handle((delivery) => {
      came.set(text(delivery), (came.get(text(delivery)) ?? 0) + 1);
      void inbox.accept([delivery]);
    });
    inbox.receiver = await persistently("receive", () =>
      transport.receive({
        queue,
        topics: [],
        lifetime: "durable",
        credit: 50,
        ordered: false,
        holdMs: 60_000,
        extensions: [],
      }, inbox));
    let settled = 0;
    const failures: Error[] = [];
    const outgoing = (body: string): Outgoing => ({
      frame: frame(body),
      messageId: body,
      to: `queue:${queue}`,
      alsoTo: [],
      mandatory: true,
      settled: (error) => {
        settled++;
        if (error !== undefined) failures.push(error);
      },
    });
    for (let at = 0; at < count; at += 20) {
      await transport.send(Array.from({ length: 20 }, (_, index) => outgoing(String(at + index))));
      await clock.pass(Math.floor(random() * 20));
    }
    await eventually(clock, "all to be confirmed", () => settled === count, patienceInMs);
    await eventually(clock, "all to come", () => came.size === count, patienceInMs);
    // Well again: with all harm done, what is sent now comes, too.
    const healthy = (): boolean => {
      const { connections, consumers, waiting, unconfirmed } = transport.counts;
      return connections === 2 && consumers === 1 && waiting === 0 && unconfirmed === 0 && states.at(-1) === "up";
    };
    await eventually(clock, "it to be well", healthy, patienceInMs);
    void transport.send([outgoing("after")]);
    await eventually(clock, "the last", () => came.has("after"), patienceInMs);
    await eventually(clock, "its confirm", () => settled === count + 1, patienceInMs);
    assertEquals([failures, violations], [[], []]);
    return { done: wire.done, twice: [...came.values()].filter((times) => times > 1).length };
  } finally {
    await transport.close(clock.now() + 2_000);
    await wire[Symbol.asyncDispose]();
    await raw((channel) => channel.deleteQueue(queue));
  }
}

test(
  `rabbitmq: wires that do what they want, ${rounds} times: nothing is lost, and the transport gets well by itself`,
  async () => {
    const done = new Map<string, number>();
    let twice = 0;
    for (let seed = 1; seed <= rounds; seed++) {
      let result: Awaited<ReturnType<typeof round>>;
      try {
        result = await round(seed);
      } catch (cause) {
        throw new Error(`With the seed ${seed}: ${cause instanceof Error ? cause.message : cause}`, { cause });
      }
      twice += result.twice;
      for (const harm of result.done) done.set(harm, (done.get(harm) ?? 0) + 1);
    }
    console.log(`${twice} of ${rounds * count} came more than once; ${JSON.stringify(Object.fromEntries(done))}`);
    if (rounds >= 10) assertEquals(done.size, 6, "Some kinds of harm were not done");
  },
  { skip, timeoutInMs: 1_200_000 },
);
