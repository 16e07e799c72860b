/** A transport whose process may be killed where messages come, and where a unit's commit takes it in. */
import type {
  Admin,
  Capabilities,
  Change,
  DeployMode,
  Enlistment,
  Host,
  Outgoing,
  Receiver,
  Sink,
  Source,
  Topology,
  Transport,
} from "../../../src/spi/transport.ts";
import type { Killer } from "./killer.ts";

/** Does what the transport does, and comes to the points on the way. */
export class KillingTransport implements Transport {
  readonly name: string;
  readonly capabilities: Capabilities;
  readonly admin?: Admin;
  readonly #transport: Transport;
  readonly #killer: Killer;

  constructor(transport: Transport, killer: Killer) {
    this.name = transport.name;
    this.capabilities = transport.capabilities;
    if (transport.admin !== undefined) this.admin = transport.admin;
    this.#transport = transport;
    this.#killer = killer;
  }

  open(host: Host): Promise<void> {
    return this.#transport.open(host);
  }
  deploy(topology: Topology, mode: DeployMode): Promise<readonly Change[]> {
    return this.#transport.deploy(topology, mode);
  }
  send(batch: readonly Outgoing[]): void | Promise<void> {
    return this.#transport.send(batch);
  }
  receive(source: Source, sink: Sink): Promise<Receiver> {
    return this.#transport.receive(source, {
      deliver: (batch) => {
        this.#killer.cross("delivered");
        sink.deliver(batch);
      },
      lost: (deliveries, reason) => sink.lost(deliveries, reason),
      readdressed: () => sink.readdressed(),
    });
  }
  enlist(tx: unknown, receiver: Receiver | undefined): Enlistment | undefined {
    this.#killer.cross("enlist");
    const enlistment = this.#transport.enlist?.(tx, receiver);
    if (enlistment === undefined) throw new Error("The transport joins no transaction");
    return {
      send: async (batch) => {
        await enlistment.send(batch);
        this.#killer.cross("sends enlisted");
      },
      settle: async (batch) => {
        await enlistment.settle(batch);
        this.#killer.cross("settlements enlisted");
      },
    };
  }
  close(deadline: number): Promise<void> {
    return this.#transport.close(deadline);
  }
}
