/** That the interface and its suite fit Kafka's shape. */
import { virtualTime } from "../conformance/test_clock.ts";
import { register, transportConformance, type TransportUnderTest } from "../conformance/transport.ts";
import { OffsetBroker } from "../support/fakes/offset_broker.ts";
import { OffsetTransport } from "../support/fakes/offset_transport.ts";

function create(): Promise<TransportUnderTest> {
  const broker = new OffsetBroker();
  return Promise.resolve({
    clock: virtualTime(),
    connect: () => new OffsetTransport(broker),
    breakClaims: (transport) => {
      if (transport instanceof OffsetTransport) transport.rebalance();
    },
    kill: (transport) => {
      if (transport instanceof OffsetTransport) transport.die();
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
}

register(
  "offset fake",
  transportConformance(create, {
    "of competing receivers, one that is full does not keep the others from the rest":
      "a partition has one reader, and what waits in it waits for that one",
    "what is released may go to any receiver of the queue": "its reader seeks back, and a partition has no other",
    "what an ordered source is to have again later lets the next of its key pass, and waits its turn when it is due":
      "it comes by the retry topic, whose partitions are others",
    "an unordered source goes on in the order of keys once that counts":
      "whoever joins takes the partition over, also without credit",
    ...Object.fromEntries(
      [
        "an ordered source keeps to what an unordered one has in flight",
        "an ordered source waits for what an unordered one has in flight out of turn",
        "an ordered source waits for all that an unordered one has in flight",
        "an ordered source waits for what is in flight behind others that came back",
      ].map((name) => [name, "whoever joins takes the partition over, and with it what was in flight"]),
    ),
  }),
);
