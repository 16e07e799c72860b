/** What a bus under test is made of: a broker in this process, a virtual clock, chance from a seed. @module */
import { type MemoryDatabase, memoryDatabase, memoryStore } from "../../stores/memory/mod.ts";
import { memory, type MemoryBroker, memoryBroker } from "../../transports/memory/mod.ts";
import type { Defaults } from "../bus/bus_core.ts";
import { deepFreeze } from "../serialization/freeze.ts";
import { referred } from "../pipeline/reference.ts";
import { snapshot } from "./snapshot.ts";
import type { Store } from "../spi/store.ts";
import type { Transport } from "../spi/transport.ts";

export type { MemoryBroker, MemoryDatabase };

/** A broker of a test's own. */
export function testBroker(byReference: boolean): MemoryBroker {
  return memoryBroker({ byReference });
}

/** One bus' end of the broker. Where messages move by reference, they are frozen: a test shows who changes one. */
export function testTransport(broker: MemoryBroker): Transport {
  const transport = memory({ broker });
  if (!broker.byReference) return transport;
  const send = transport.send.bind(transport);
  transport.send = (batch) => {
    for (const { frame } of batch) deepFreeze(referred(frame)?.message);
    return send(batch);
  };
  return transport;
}

/** What outlives the buses of a test. */
export function testDatabase(): MemoryDatabase {
  return memoryDatabase();
}

/** One bus' end of a database. */
export function testStore(database: MemoryDatabase): Store<undefined> {
  return memoryStore({ database });
}

/**
 * What stands in for what a test leaves out. A store in memory always tells of what is due: it is not asked again. What
 * was sent is shown as it was then.
 */
export const testDefaults: Defaults = { store: () => memoryStore(), polled: false, shown: snapshot };
