/** The transport within a process. @module */
import { ConfigurationError } from "../../src/errors/configuration.ts";
import { ClosedError, DisconnectedError, TopologyError } from "../../src/errors/transport.ts";
import type {
  Admin,
  Capabilities,
  Change,
  DeployMode,
  Extension,
  Host,
  Outgoing,
  Receiver,
  Sink,
  Source,
  Topology,
  Transport,
} from "../../src/spi/transport.ts";
import { MemoryAdmin } from "./admin.ts";
import { type Broker, type Crowd, maxFrameBytes, type Member } from "./broker.ts";
import { priorities } from "./message.ts";
import type { Queue, QueueSettings, Waiter } from "./queue.ts";
import { MemoryReceiver } from "./receiver.ts";
import { queueOptions } from "./topology.ts";

const name = "memory";

/** One bus' end of a {@linkcode Broker}. */
export class MemoryTransport implements Transport, Member, Crowd {
  readonly name: string = name;
  readonly capabilities: Capabilities;
  readonly admin: Admin;
  readonly #broker: Broker;
  readonly #maxQueueLength: number;
  readonly #alone: boolean;
  readonly #receivers = new Set<MemoryReceiver>();
  /** Ends the waits of senders. */
  readonly #waits = new Set<() => void>();
  #state: "new" | "open" | "closed" | "dead" = "new";
  #host: Host | undefined;
  /** Those that the `send` under way made too full. */
  #crowded: Set<Queue> | undefined;
  readonly #endWaits = (): void => {
    for (const end of [...this.#waits]) end();
  };

  /** @param alone whether no other bus can reach the broker */
  constructor(broker: Broker, maxQueueLength: number, alone: boolean) {
    this.#broker = broker;
    this.#maxQueueLength = maxQueueLength;
    this.#alone = alone;
    this.capabilities = {
      claim: "connection",
      order: "key",
      delay: { maxMs: Number.MAX_SAFE_INTEGER, cancel: true, durable: false },
      expiry: true,
      mandatory: true,
      hierarchy: true,
      priorities,
      maxFrameBytes,
      maxHeaderBytes: 2 ** 20,
      references: broker.byReference,
      keepsFrames: true,
      immediate: true,
      uncounted: true,
    };
    this.admin = new MemoryAdmin(broker, (doing) => this.#check(doing), this.#receivers);
    broker.members.set(this, this);
  }

  // deno-lint-ignore require-await -- a rejection, not a throw
  async open(host: Host): Promise<void> {
    if (this.#state === "closed" || this.#state === "dead") throw this.#failure("open");
    if (this.#host !== undefined) {
      throw new ConfigurationError(
        `Cannot open a memory transport for the bus "${host.bus}": it is that of "${this.#host.bus}". ` +
          `Give each bus one of its own, with a broker that they share: memory({ broker })`,
      );
    }
    host.signal.throwIfAborted();
    this.#host = host;
    this.#state = "open";
    host.signal.addEventListener("abort", this.#endWaits, { once: true });
    this.#broker.open(host.clock);
    host.status({ state: "up" });
  }

  // deno-lint-ignore require-await -- a rejection, not a throw
  async deploy(topology: Topology, mode: DeployMode): Promise<readonly Change[]> {
    this.#check("deploy");
    const deploy = (as: DeployMode) =>
      this.#broker.entities.deploy(topology, as, (extensions) => this.#settings(extensions));
    if (mode === "check" && this.#alone) deploy("apply"); // nobody else could have made anything there
    return deploy(mode);
  }

  send(batch: readonly Outgoing[]): void | Promise<void> {
    const outer = this.#crowded; // what `settled` calls may send
    this.#crowded = undefined;
    for (const outgoing of batch) {
      // Asked each time: what `settled` calls may close the transport.
      const result = this.#state === "open" ? this.#broker.send(outgoing, this) : this.#failure("send");
      if (typeof result === "object") outgoing.settled(result);
      else outgoing.settled(undefined, result);
    }
    const full: Set<Queue> | undefined = this.#crowded;
    this.#crowded = outer;
    if (full !== undefined && this.#state === "open" && !this.#host?.signal.aborted) return this.#wait(full);
  }

  /** As {@linkcode Crowd}. */
  full(queue: Queue): void {
    (this.#crowded ??= new Set()).add(queue);
  }

  // deno-lint-ignore require-await -- a rejection, not a throw
  async receive(source: Source, sink: Sink): Promise<Receiver> {
    this.#check(`receive from "${source.queue}"`);
    const settings = this.#settings(source.extensions);
    const { entities } = this.#broker;
    const queue = source.lifetime === "durable"
      ? entities.queue(source.queue)
      : entities.addTransient(source.queue, source.topics, settings);
    if (queue === undefined) throw TopologyError.missing(`queue:${source.queue}`);
    const receiver = new MemoryReceiver(queue, sink, this.#broker, {
      credit: source.credit,
      ordered: source.ordered,
      reply: source.lifetime === "reply",
      among: this.#receivers,
    });
    receiver.start();
    return receiver;
  }

  // deno-lint-ignore require-await -- a rejection, not a throw
  async cancel(receipt: string): Promise<boolean> {
    this.#check("cancel what is due later");
    return this.#broker.cancel(receipt);
  }

  close(_deadline: number): Promise<void> {
    this.#end("closed", new ClosedError(`the transport "${name}"`));
    return Promise.resolve();
  }

  /** As {@linkcode MemoryBroker.kill}. */
  die(): void {
    this.#end("dead", undefined);
  }

  /** As {@linkcode MemoryBroker.disconnect}. */
  reconnect(): void {
    if (this.#state !== "open") return;
    const reason = new DisconnectedError(name, "receive");
    this.#host?.status({ state: "down", cause: reason });
    for (const receiver of [...this.#receivers]) receiver.reconnect(reason);
    this.#host?.status({ state: "up" });
  }

  /** The sinks hear of it if there is a reason. */
  #end(state: "closed" | "dead", reason: Error | undefined): void {
    if (this.#state === "closed" || this.#state === "dead") return;
    this.#state = state;
    for (const receiver of [...this.#receivers]) receiver.close(reason);
    this.#receivers.clear();
    this.#endWaits();
    if (this.#host === undefined) return;
    this.#host.signal.removeEventListener("abort", this.#endWaits);
    this.#broker.close(this.#host.clock);
  }

  #wait(full: Set<Queue>): Promise<void> {
    return new Promise((resolve) => {
      const waiter: Waiter = {
        relieved: (queue) => {
          full.delete(queue);
          if (full.size === 0) end();
        },
      };
      const end = (): void => {
        this.#waits.delete(end);
        for (const queue of full) queue.removeWaiter(waiter);
        resolve();
      };
      this.#waits.add(end);
      for (const queue of full) queue.addWaiter(waiter);
    });
  }

  #settings(extensions: readonly Extension[]): QueueSettings {
    const { maxQueueLength = this.#maxQueueLength, deadLetterExpired } = queueOptions(extensions);
    return { maxLength: maxQueueLength, deadLetterExpired };
  }

  #check(doing: string): void {
    if (this.#state !== "open") throw this.#failure(doing);
  }

  #failure(doing: string): Error {
    switch (this.#state) {
      case "closed":
        return new ClosedError(`the transport "${name}"`);
      case "dead":
        return new DisconnectedError(name, doing);
      default:
        return new ConfigurationError(`Cannot ${doing}: the memory transport is not open. Start its bus first`);
    }
  }
}
