/** The memory transport keeps every promise of the interface, on a broker that several share. */
import type { TransportUnderTest } from "../conformance/transport.ts";
import { register, transportConformance } from "../conformance/transport.ts";
import { virtualTime } from "../conformance/test_clock.ts";
import { memory, memoryBroker } from "../../transports/memory/mod.ts";

function create(byReference: boolean): Promise<TransportUnderTest> {
  const broker = memoryBroker({ byReference });
  return Promise.resolve({
    clock: virtualTime(),
    settlesAtOnce: true,
    connect: () => memory({ broker }),
    breakClaims: (transport) => broker.disconnect(transport),
    kill: (transport) => broker.kill(transport),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
}

register("memory", transportConformance(() => create(false)));
register("memory by reference", transportConformance(() => create(true)));
