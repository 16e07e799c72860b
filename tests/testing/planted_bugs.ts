/** Transports with a bug, to see whether a simulation finds it. */
import type { Delivery, Receiver, Settlement, Sink, Transport } from "../../src/spi/mod.ts";

/** How a bug changes what passes. */
interface Bug {
  readonly deliver?: (batch: readonly Delivery[], receiver: () => Receiver | undefined) => readonly Delivery[];
  readonly settle?: (batch: readonly Settlement[]) => readonly Settlement[];
}

/** A transport between whose ends and the bus stands a bug. */
function plant(transport: Transport, { deliver = (batch) => batch, settle = (batch) => batch }: Bug): Transport {
  const receive = transport.receive.bind(transport);
  transport.receive = async (source, sink) => {
    let receiver: Receiver | undefined = undefined;
    const between: Sink = {
      deliver: (batch) => sink.deliver(deliver(batch, () => receiver)),
      lost: (deliveries, reason) => sink.lost(deliveries, reason),
      readdressed: () => sink.readdressed(),
    };
    const real = receiver = await receive(source, between);
    return {
      get address() {
        return real.address;
      },
      settle: (batch) => real.settle(settle(batch)),
      credit: (total) => real.credit(total),
      stop: () => real.stop(),
    };
  };
  return transport;
}

/** Accepts what is delivered before anybody has handled it. */
export const acknowledgedEarly = (transport: Transport): Transport =>
  plant(transport, {
    deliver: (batch, receiver) => {
      const settled = receiver()?.settle(batch.map((delivery) => ({ delivery, outcome: "accept" })));
      Promise.resolve(settled).catch(() => {});
      return batch;
    },
  });

/** Accepts what shall come again. */
export const retryLost = (transport: Transport): Transport =>
  plant(transport, {
    settle: (batch) =>
      batch.map((each) => each.outcome === "again" ? { delivery: each.delivery, outcome: "accept" } : each),
  });

/** Delivers the second of two messages of one key first, if they come together. */
export const keyOvertaken = (transport: Transport): Transport =>
  plant(transport, {
    deliver: (batch) => {
      const second = batch.findIndex(({ key }, at) => key !== undefined && batch.findIndex((b) => b.key === key) < at);
      const other = batch[second];
      return other === undefined ? batch : [other, ...batch.filter((each) => each !== other)];
    },
  });
