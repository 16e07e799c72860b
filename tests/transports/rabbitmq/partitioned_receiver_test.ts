/** How a part is handed over. */
import { assertEquals } from "@std/assert";
import type { Connection } from "../../../transports/rabbitmq/connection.ts";
import { PartitionedReceiver } from "../../../transports/rabbitmq/partitioned_receiver.ts";
import type { RabbitReceiver } from "../../../transports/rabbitmq/receiver.ts";
import { eventually, realTime } from "../../conformance/test_clock.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { turn } from "../../../src/testing/turn.ts";
import { test } from "../../support/runner.ts";

/** What is done, in order; how many processes there are is `members`. */
function parts() {
  const clock = new FakeClock();
  const gone = Promise.withResolvers<void>();
  const own = { clock, gone, members: 1, log: [] as string[] };
  const channel = {
    on: () => {},
    assertQueue: () => Promise.resolve(),
    consume: () => Promise.resolve(),
    close: () => Promise.resolve(),
    checkQueue: () => Promise.resolve({ consumerCount: own.members }),
    deleteQueue: (name: string) => Promise.resolve(own.log.push(`free ${name}`)),
  };
  const connection = {
    channel: () => Promise.resolve(channel),
    with: (use: (given: typeof channel) => unknown) => Promise.resolve(use(channel)),
  };
  const open = (part: string) =>
    Promise.resolve({
      unsettled: 0,
      gone: gone.promise,
      credit: (total: number) => own.log.push(`${part} takes ${total}`),
      stop: () => Promise.resolve(own.log.push(`${part} stops`)),
    });
  const host = { bus: "test", clock, signal: new AbortController().signal, status: () => {} };
  // It asks for nothing else.
  const receiver = new PartitionedReceiver("steps", 2, 2, {
    host,
    connection: connection as unknown as Connection,
    open: (part) => open(part) as Promise<unknown> as Promise<RabbitReceiver>,
    ended: () => {},
  });
  return { ...own, own, receiver };
}

test("rabbitmq: a part is free for others once what goes back of it has gone back", async () => {
  const { own, clock, gone, log, receiver } = parts();
  await receiver.start();
  assertEquals(receiver.parts, ["steps_0", "steps_1"]);
  own.members = 2;
  clock.advance(2_000);
  await eventually(realTime(), "its stop", () => log.length >= 2);
  for (let turns = 0; turns < 20; turns++) await turn();
  assertEquals(log, ["steps_1 takes 0", "steps_1 stops"]);
  gone.resolve();
  await eventually(realTime(), "its lock to be free", () => log.length === 3);
  assertEquals(log[2], "free steps_1_lock");
  await receiver.stop();
});
