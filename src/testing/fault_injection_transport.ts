/** A transport on which things go wrong. @module */
import type { Clock } from "../spi/clock.ts";
import type {
  Admin,
  Capabilities,
  Change,
  DeployMode,
  Host,
  Outgoing,
  Receiver,
  Sink,
  Source,
  Topology,
  Transport,
} from "../spi/transport.ts";
import { FaultyReceiver } from "./fault_injection_receiver.ts";
import { FaultySends } from "./fault_injection_sends.ts";
import type { Life } from "./life.ts";

/**
 * A transport on which things go wrong, within what transports promise: at least once, in order by key, and typed
 * errors. Once its life is over, whatever it is called for throws, or is settled, with {@linkcode InstanceCrashedError}.
 */
export class FaultyTransport implements Transport {
  readonly name: string;
  readonly capabilities: Capabilities;
  readonly admin?: Admin;
  readonly #transport: Transport;
  readonly #life: Life;
  readonly #clock: Clock;
  readonly #sends: FaultySends;

  /** @param clock the world's: what is under way at the broker goes on though an instance dies */
  constructor(transport: Transport, life: Life, clock: Clock) {
    this.name = transport.name;
    this.capabilities = transport.capabilities;
    if (transport.admin !== undefined) this.admin = transport.admin;
    this.#transport = transport;
    this.#life = life;
    this.#clock = clock;
    this.#sends = new FaultySends(transport, life, clock);
  }

  async open(host: Host): Promise<void> {
    this.#life.cross("open");
    // The broker's own waits are not its member's: they outlive it.
    await this.#transport.open({ ...host, clock: this.#clock });
    this.#life.cross("opened");
  }

  async deploy(topology: Topology, mode: DeployMode): Promise<readonly Change[]> {
    this.#life.crossConnected("deploy");
    const changes = await this.#transport.deploy(topology, mode);
    this.#life.cross("deployed");
    return changes;
  }

  send(batch: readonly Outgoing[]): void | Promise<void> {
    return this.#sends.send(batch);
  }

  async receive(source: Source, sink: Sink): Promise<Receiver> {
    this.#life.crossConnected("receive");
    const receiver = new FaultyReceiver(sink, this.#life, this.#clock);
    receiver.attach(await this.#transport.receive(source, receiver));
    this.#life.cross("receiving");
    return receiver;
  }

  async cancel(receipt: string): Promise<boolean> {
    this.#life.crossConnected("cancel");
    const cancelled = await this.#transport.cancel?.(receipt) ?? false;
    this.#life.cross("cancelled");
    return cancelled;
  }

  async close(deadline: number): Promise<void> {
    this.#life.cross("close");
    await this.#transport.close(deadline);
  }
}
