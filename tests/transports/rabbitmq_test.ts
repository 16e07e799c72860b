/** RabbitMQ keeps every promise of the interface, on a real broker. */
import { realTime } from "../conformance/test_clock.ts";
import { type TestCase, transportConformance, type TransportUnderTest } from "../conformance/transport.ts";
import type { RabbitmqOptions } from "../../transports/rabbitmq/mod.ts";
import { test } from "../support/runner.ts";
import { isSince, RabbitmqBench, skip } from "./rabbitmq/broker.ts";

/** The most transports that a case makes. */
const mostTransports = 4;

async function create(options: RabbitmqOptions = {}): Promise<TransportUnderTest> {
  const bench = new RabbitmqBench();
  await bench.prepare(mostTransports);
  const clock = realTime();
  return {
    clock,
    connect: () => bench.connect(options),
    breakClaims: (transport) => bench.wire(transport).cut(),
    kill: (transport) => bench.kill(transport, clock),
    [Symbol.asyncDispose]: () => bench[Symbol.asyncDispose](),
  };
}

function register(subject: string, cases: readonly TestCase[]): void {
  for (const { name, run } of cases) test(`${subject}: ${name}`, run, { skip, timeoutInMs: 180_000 });
}

const byPriority = "of what waits, a higher priority comes first, and one priority in order";

register(
  "rabbitmq",
  transportConformance(
    () => create(),
    isSince(4, 3) ? {} : {
      [byPriority]: "a quorum queue has no priorities, or two of which neither waits; one with maxPriority has",
    },
  ),
);
register(
  "rabbitmq with priorities",
  transportConformance(() => create({ queue: { maxPriority: 9 } })).filter(({ name }) => name === byPriority),
);

/** What direct reply-to cannot promise. */
const byDirectReplies: Readonly<Record<string, string>> = {
  "a mandatory answer to a reply source that is gone is told of": "the broker calls all such answers unroutable",
};
register(
  "rabbitmq with direct replies",
  transportConformance(() => create({ replies: "direct" }), byDirectReplies)
    .filter(({ name }) => /\breply source/.test(name)),
);
