/** A transport whose process may be killed where messages go and come, and where a unit's commit takes it in. */
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
  /** What the bus has → the transport's own. */
  readonly #receivers = new WeakMap<Receiver, Receiver>();

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
    const killer = this.#killer;
    killer.cross("send");
    const room = this.#transport.send(batch.map((outgoing) => {
      const settled: Outgoing["settled"] = (error, receipt) => {
        killer.cross("confirm");
        outgoing.settled(error, receipt);
        killer.cross("confirmed");
      };
      // All else is asked of the message itself: it has getters.
      return new Proxy(outgoing, { get: (of, name) => name === "settled" ? settled : Reflect.get(of, name, of) });
    }));
    killer.cross("sent");
    return room;
  }
  async receive(source: Source, sink: Sink): Promise<Receiver> {
    const killer = this.#killer;
    const receiver = await this.#transport.receive(source, {
      deliver: (batch) => {
        killer.cross("delivered");
        sink.deliver(batch);
      },
      lost: (deliveries, reason) => sink.lost(deliveries, reason),
      readdressed: () => sink.readdressed(),
    });
    const killing: Receiver = {
      get address() {
        return receiver.address;
      },
      settle: (batch) => {
        killer.cross("acknowledge");
        const settling = receiver.settle(batch);
        killer.cross("acknowledged");
        return settling;
      },
      credit: (total) => receiver.credit(total),
      stop: () => receiver.stop(),
    };
    this.#receivers.set(killing, receiver);
    return killing;
  }
  enlist(tx: unknown, receiver: Receiver | undefined): Enlistment | undefined {
    this.#killer.cross("enlist");
    const enlistment = this.#transport.enlist?.(tx, receiver && this.#receivers.get(receiver));
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
