/**
 * A transport of Kafka's shape: a queue is a group that reads a topic of its own, its retry topic and the topics that it
 * is bound to. It keeps no delay, no expiry, no hierarchy, no priorities, and counts no deliveries.
 */
import { MessageTooLargeError, UnroutableError } from "../../../src/errors/sending.ts";
import { ClosedError, DisconnectedError, TopologyError } from "../../../src/errors/transport.ts";
import type { FrameHeaders } from "../../../src/spi/frame.ts";
import type {
  Address,
  Capabilities,
  Change,
  Delivery,
  DeployMode,
  Host,
  Outgoing,
  Receiver,
  Sink,
  Source,
  Topology,
  Transport,
} from "../../../src/spi/transport.ts";
import type { OffsetBroker, Partition } from "./offset_broker.ts";
import { OffsetReceiver, type OffsetServices } from "./offset_receiver.ts";
import { packHeaders } from "./packed_headers.ts";

let transients = 0;

/** One process' end of an {@linkcode OffsetBroker}. */
export class OffsetTransport implements Transport {
  readonly name: string = "offset";
  readonly capabilities: Capabilities = {
    claim: "offset",
    order: "key",
    delay: false,
    expiry: false,
    mandatory: false,
    hierarchy: false,
    priorities: 0,
    maxFrameBytes: 2 ** 20,
    maxHeaderBytes: 2 ** 16,
  };
  readonly #broker: OffsetBroker;
  readonly #receivers = new Set<OffsetReceiver>();
  #state: "new" | "open" | "closed" | "dead" = "new";
  #host: Host | undefined;

  constructor(broker: OffsetBroker) {
    this.#broker = broker;
  }

  async open(host: Host): Promise<void> {
    host.signal.throwIfAborted();
    await undefined;
    this.#host = host;
    this.#state = "open";
    host.status({ state: "up" });
  }

  async deploy(topology: Topology, mode: DeployMode): Promise<readonly Change[]> {
    await undefined;
    const changes: Change[] = [];
    const apply = mode === "apply";
    for (const { name } of topology.queues) {
      const entity = `queue:${name}`;
      if (this.#broker.partitions(entity) !== undefined) continue;
      changes.push({ kind: "create", entity, detail: "its own topic and its retry topic" });
      if (!apply) continue;
      for (const topic of [entity, `retry:${name}`]) {
        this.#broker.create(topic);
        this.#broker.group(name).subscribe(this.#broker.partitions(topic) ?? []);
      }
    }
    for (const { name } of topology.topics) {
      const entity = `topic:${name}`;
      if (this.#broker.partitions(entity) !== undefined) continue;
      changes.push({ kind: "create", entity, detail: "a topic" });
      if (apply) this.#broker.create(entity);
    }
    for (const { topic, to } of topology.bindings) {
      if (!to.startsWith("queue:")) continue; // no hierarchy: the core sends to the bases
      const [partition] = this.#broker.partitions(`topic:${topic}`) ?? [];
      const group = this.#broker.group(to.slice("queue:".length));
      if (partition !== undefined && group.has(partition)) continue;
      changes.push({ kind: "create", entity: `topic:${topic} -> ${to}`, detail: "where the group begins" });
      if (apply) group.subscribe(this.#broker.partitions(`topic:${topic}`) ?? []);
    }
    return changes;
  }

  send(batch: readonly Outgoing[]): void {
    for (const outgoing of batch) {
      const error = this.#produce(outgoing);
      // The broker's answer comes later; `send` is done.
      queueMicrotask(() => outgoing.settled(error));
    }
  }

  async receive(source: Source, sink: Sink): Promise<Receiver> {
    await undefined;
    if (this.#state !== "open" || this.#host === undefined) throw new ClosedError(`the transport "${this.name}"`);
    const durable = source.lifetime === "durable";
    const address = durable ? `queue:${source.queue}` : `${source.lifetime}:${source.queue}~${++transients}`;
    const group = durable ? this.#broker.group(source.queue) : this.#broker.group(address);
    if (!durable) {
      const own = [address, `retry:${source.queue}`];
      for (const topic of own) this.#broker.create(topic, 1);
      const topics = [...own, ...source.topics.map((topic) => `topic:${topic}`)];
      group.subscribe(topics.flatMap((topic): readonly Partition[] => this.#broker.partitions(topic) ?? []));
    } else if (this.#broker.partitions(address) === undefined) throw new TopologyError([`${address}: it is missing`]);
    const receiver = new OffsetReceiver(address, group, source, sink, this.#services(this.#host, durable));
    this.#receivers.add(receiver);
    group.join(receiver);
    return receiver;
  }

  async close(_deadline: number): Promise<void> {
    await Promise.all([...this.#receivers].map((receiver) => receiver.flush()));
    this.#end("closed", new ClosedError(`the transport "${this.name}"`));
  }

  /** The group coordinator shares all partitions anew. */
  rebalance(): void {
    for (const receiver of this.#receivers) receiver.group.revokeAll(receiver);
  }

  /** As if the process had died. */
  die(): void {
    this.#end("dead", undefined);
  }

  #end(state: "closed" | "dead", reason: Error | undefined): void {
    if (this.#state === "closed" || this.#state === "dead") return;
    this.#state = state;
    for (const receiver of [...this.#receivers]) receiver.close(reason);
  }

  #services(host: Host, durable: boolean): OffsetServices {
    return {
      clock: host.clock,
      produce: (to: Address, delivery: Delivery, headers: FrameHeaders, dueAt?: number): boolean => {
        const { contentType, headers: own, body } = delivery.frame;
        const { key } = delivery;
        return this.#broker.append(to, { key, contentType, headers: packHeaders({ ...own, ...headers }), body, dueAt });
      },
      ended: (receiver) => {
        this.#receivers.delete(receiver);
        if (durable) return;
        this.#broker.delete(receiver.address);
        this.#broker.groups.delete(receiver.address);
      },
    };
  }

  #produce({ frame, messageId, to, alsoTo, key }: Outgoing): Error | undefined {
    if (this.#state === "closed") return new ClosedError(`the transport "${this.name}"`);
    if (this.#state !== "open") return new DisconnectedError(this.name, "send");
    const { contentType, body } = frame;
    const { maxFrameBytes } = this.capabilities;
    if (body.byteLength > maxFrameBytes) {
      return new MessageTooLargeError(messageId, "body", body.byteLength, maxFrameBytes);
    }
    const record = { key, contentType, headers: packHeaders(frame.headers), body, dueAt: undefined };
    const missing = [...alsoTo, to].find((topic) => !this.#broker.append(topic, record));
    return missing === undefined ? undefined : new UnroutableError(messageId, missing);
  }
}
