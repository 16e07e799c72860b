/** A transport that does not send all. */
import { DisconnectedError } from "../../../mod.ts";
import type { Outgoing, Transport } from "../../../src/spi/transport.ts";
import { memory } from "../../../transports/memory/mod.ts";
import type { Trial } from "../trial.ts";

/** A transport whose sends a test lets fail. */
export function failing(t: Trial, fails: (outgoing: Outgoing) => Error | undefined, seen: Outgoing[] = []): Transport {
  const transport = memory({ broker: t.broker });
  const send = transport.send.bind(transport);
  transport.send = (batch) => {
    const rest = batch.filter((outgoing) => {
      seen.push(outgoing);
      const error = fails(outgoing);
      if (error !== undefined) outgoing.settled(error);
      return error === undefined;
    });
    return rest.length === 0 ? undefined : send(rest);
  };
  return transport;
}

/** That there is no broker. */
export function lost(): Error {
  return new DisconnectedError("memory", "send");
}
