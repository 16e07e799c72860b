/** That the interface and its suite fit SQS's shape. */
import { virtualTime } from "../conformance/test_clock.ts";
import { register, transportConformance, type TransportUnderTest } from "../conformance/transport.ts";
import { LeaseBroker } from "../support/fakes/lease_broker.ts";
import { LeaseTransport } from "../support/fakes/lease_transport.ts";

function create(): Promise<TransportUnderTest> {
  const broker = new LeaseBroker();
  return Promise.resolve({
    clock: virtualTime(),
    connect: () => new LeaseTransport(broker),
    breakClaims: (transport) => {
      if (transport instanceof LeaseTransport) transport.expire();
    },
    kill: (transport) => {
      if (transport instanceof LeaseTransport) transport.die();
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
}

register("lease fake", transportConformance(create));
