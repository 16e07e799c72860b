/** Arguments of queues that the broker refuses, and those that it ignores. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { TopologyError } from "../../../src/errors/transport.ts";
import type { Topology } from "../../../src/spi/transport.ts";
import { mismatchIn } from "../../../transports/rabbitmq/errors.ts";
import { rabbitmq, type RabbitmqQueueOptions } from "../../../transports/rabbitmq/mod.ts";
import { topology } from "../../conformance/transport/trial.ts";
import { test } from "../../support/runner.ts";
import { rig } from "./rig.ts";

function one(name: string, options: RabbitmqQueueOptions): Topology {
  return { ...topology([]), queues: [{ name, extensions: [rabbitmq.queue(options)] }] };
}

test("rabbitmq: why the broker refuses an argument is said with what to do", () => {
  const said = (text: string) =>
    mismatchIn(new Error(`406 (PRECONDITION-FAILED) with message "PRECONDITION_FAILED - ${text}"`));
  assertEquals(
    said("invalid arg 'x-max-priority' for queue 'a' in vhost '/' of queue type rabbit_quorum_queue"),
    `a quorum queue has no argument "x-max-priority". Leave it out, or give the queue another { type }`,
  );
  assertEquals(
    said("invalid arg 'x-max-length' for queue 'a:b' in vhost '/': {value_negative,-1}"),
    `the broker does not take its argument "x-max-length" ({value_negative,-1}). Give another value`,
  );
  assertEquals(said("unknown delivery tag 7"), undefined);
});

rig("an argument that only queues of another type have is refused by the broker, and named", async (rig) => {
  for (
    const [type, argument, value] of [
      ["quorum", "x-max-priority", 5],
      ["quorum", "x-queue-mode", "lazy"],
      ["classic", "x-delivery-limit", 5],
      ["classic", "x-max-age", "1h"],
      ["stream", "x-single-active-consumer", true],
      ["stream", "x-message-ttl", 1_000],
    ] as const
  ) {
    const topology = one(rig.name("queue"), { type, arguments: { [argument]: value } });
    const error = await assertRejects(() => rig.transport.deploy(topology, "apply"), TopologyError);
    assert(error.message.includes(`a ${type} queue has no argument "${argument}"`), error.message);
  }
});

rig("an argument that the broker does not know it takes, and a change of it is no conflict", async (rig) => {
  const queue = rig.name("queue");
  const withValue = (value: number) => one(queue, { type: "classic", arguments: { "x-made-up": value } });
  await rig.transport.deploy(withValue(1), "apply");
  assertEquals(await rig.transport.deploy(withValue(2), "apply"), []);
});
