/** What whoever compares consumers asks the broker, and does with its answers. */
import { assertEquals } from "@std/assert";
import type { Connection } from "../../../transports/rabbitmq/connection.ts";
import { ConsumerWatch } from "../../../transports/rabbitmq/consumer_watch.ts";
import type { RabbitReceiver } from "../../../transports/rabbitmq/receiver.ts";
import { eventually, realTime } from "../../conformance/test_clock.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { test } from "../../support/runner.ts";

const everyInMs = 1_000;

/** A watch over these queues; a number is how many consumers the broker says that one has, or its reply code. */
function watching(there: Readonly<Record<string, number>>, set: Partial<Record<string, Partial<RabbitReceiver>>> = {}) {
  const done: string[] = [];
  const receivers = new Set(
    Object.keys(there).map((queue) =>
      ({
        queue,
        wanting: true,
        consuming: true,
        counted: true,
        kick: () => void done.push(`kick ${queue}`),
        renew: ({ message }: Error) => void done.push(`renew ${queue}: ${message}`),
        ...set[queue],
      }) as unknown as RabbitReceiver // it looks at nothing else
    ),
  );
  let channels = 0;
  const connection = {
    ready: true,
    channel: () => {
      channels++;
      return Promise.resolve({
        checkQueue: (queue: string) => {
          done.push(`ask ${queue}`);
          const answer = there[queue] ?? 404;
          if (answer < 400) return Promise.resolve({ consumerCount: answer });
          return Promise.reject(Object.assign(new Error("refused"), { code: answer }));
        },
        close: () => {
          channels--;
          return Promise.resolve();
        },
      });
    },
  };
  const clock = new FakeClock();
  const host = { bus: "test", clock, signal: new AbortController().signal, status: () => {} };
  const watch = new ConsumerWatch(host, everyInMs, connection as unknown as Connection, receivers); // nor here
  watch.start();
  const look = async (): Promise<readonly string[]> => {
    done.length = 0;
    clock.advance(everyInMs);
    await eventually(realTime(), "the look to be over", () => clock.waiting === 1);
    return [...done];
  };
  return { watch, clock, connection, look, channels: () => channels };
}

const noConsumer = "The broker has no consumer of it any more";
const noQueue = "The queue is not there any more";

test("rabbitmq: each consumer that should be there is asked for, and made anew where it is not", async () => {
  const there = { well: 1, gone: 0, missing: 404, behind: 0 };
  const { watch, clock, look, channels } = watching(there);
  const expected = [
    "ask well",
    "ask gone",
    `renew gone: ${noConsumer}`,
    "ask missing",
    `renew missing: ${noQueue}`,
    "ask behind",
    `renew behind: ${noConsumer}`,
  ];
  assertEquals(await look(), expected);
  assertEquals(await look(), expected); // for as long as it lasts
  assertEquals(channels(), 2); // the answer that one is missing has ended a channel each time
  watch.stop();
  assertEquals(clock.waiting, 0);
});

test("rabbitmq: nobody is asked for what should not be there, is not yet, or is not counted", async () => {
  const there = { paused: 0, starting: 0, uncounted: 0, well: 1 };
  const { watch, look, channels } = watching(there, {
    paused: { wanting: false },
    starting: { consuming: false },
    uncounted: { counted: false },
  });
  assertEquals(await look(), ["kick starting", "ask uncounted", "ask well"]);
  assertEquals(channels(), 0);
  watch.stop();
});

test("rabbitmq: a refusal to tell and a lost connection end no consumer, and the former hides no other", async () => {
  const refused = watching({ locked: 405, behind: 0 });
  assertEquals(await refused.look(), ["ask locked", "ask behind", `renew behind: ${noConsumer}`]);
  refused.watch.stop();
  const lost = watching({ gone: 0 });
  lost.connection.ready = false;
  assertEquals(await lost.look(), []);
  lost.connection.ready = true;
  assertEquals(await lost.look(), ["ask gone", `renew gone: ${noConsumer}`]);
  lost.watch.stop();
});
