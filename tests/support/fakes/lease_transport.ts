/**
 * A transport of SQS' shape: leases that end, ten attributes, 256 KB, a delay of 15 minutes at most, no expiry, no
 * hierarchy, no priorities; a message group is a key.
 */
import { UnsupportedError } from "../../../src/errors/configuration.ts";
import { MessageTooLargeError } from "../../../src/errors/sending.ts";
import { ClosedError, DisconnectedError, TopologyError } from "../../../src/errors/transport.ts";
import type {
  Address,
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
} from "../../../src/spi/transport.ts";
import { type LeaseBroker, type LeaseContents, LeaseQueue, maxDelayMs } from "./lease_broker.ts";
import { attributes, LeaseReceiver } from "./lease_receiver.ts";

let transients = 0;

/** One process' end of a {@linkcode LeaseBroker}. */
export class LeaseTransport implements Transport {
  readonly name: string = "lease";
  readonly capabilities: Capabilities = {
    claim: "lease",
    order: "key",
    delay: { maxMs: maxDelayMs, cancel: false },
    expiry: false,
    mandatory: false,
    hierarchy: false,
    priorities: 0,
    maxFrameBytes: 2 ** 18,
    maxHeaderBytes: 2 ** 16,
  };
  readonly #broker: LeaseBroker;
  readonly #receivers = new Set<LeaseReceiver>();
  #state: "new" | "open" | "closing" | "closed" | "dead" = "new";
  #host: Host | undefined;

  constructor(broker: LeaseBroker) {
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
    const { queues, topics } = this.#broker;
    const make = (there: boolean, entity: string, detail: string, create: () => void): void => {
      if (there) return;
      changes.push({ kind: "create", entity, detail });
      if (mode === "apply") create();
    };
    for (const { name } of topology.queues) {
      make(queues.has(name), `queue:${name}`, "a queue", () => queues.set(name, new LeaseQueue()));
    }
    for (const { name } of topology.topics) {
      make(topics.has(name), `topic:${name}`, "a topic", () => topics.set(name, new Set()));
    }
    for (const { topic, to } of topology.bindings) {
      if (!to.startsWith("queue:")) continue; // no hierarchy: the core sends to the bases
      const queue = to.slice("queue:".length);
      const there = topics.get(topic)?.has(queue) === true;
      make(there, `topic:${topic} -> ${to}`, "a subscription", () => topics.get(topic)?.add(queue));
    }
    return changes;
  }

  async send(batch: readonly Outgoing[]): Promise<void> {
    const results = batch.map((outgoing) => this.#send(outgoing));
    await undefined; // the broker's answer
    batch.forEach((outgoing, at) => outgoing.settled(results[at]));
  }

  async receive(source: Source, sink: Sink): Promise<Receiver> {
    await undefined;
    const host = this.#host;
    if (this.#state !== "open" || host === undefined) throw new ClosedError(`the transport "${this.name}"`);
    const durable = source.lifetime === "durable";
    const name = durable ? source.queue : `${source.queue}~${++transients}`;
    if (!durable) {
      this.#broker.queues.set(name, new LeaseQueue());
      for (const topic of source.topics) this.#broker.topics.get(topic)?.add(name);
    }
    const queue = this.#broker.queues.get(name);
    if (queue === undefined) throw new TopologyError([`queue:${name}: it is missing`]);
    const receiver = new LeaseReceiver(`queue:${name}`, queue, source, sink, {
      clock: host.clock,
      send: (to, contents) => this.#put(to, contents),
      ended: (ended) => {
        this.#receivers.delete(ended);
        if (durable) return;
        this.#broker.queues.delete(name);
        for (const names of this.#broker.topics.values()) names.delete(name);
      },
    });
    this.#receivers.add(receiver);
    return receiver;
  }

  async close(_deadline: number): Promise<void> {
    if (this.#state === "open") this.#state = "closing";
    await Promise.all([...this.#receivers].map((receiver) => receiver.flush()));
    this.#end("closed", new ClosedError(`the transport "${this.name}"`));
  }

  /** The broker ends all leases of this process. */
  expire(): void {
    for (const receiver of [...this.#receivers]) receiver.expire();
  }

  /** As if the process had died: nobody renews its leases. */
  die(): void {
    this.#end("dead", undefined);
  }

  #end(state: "closed" | "dead", reason: Error | undefined): void {
    if (this.#state === "closed" || this.#state === "dead") return;
    this.#state = state;
    for (const receiver of [...this.#receivers]) receiver.close(reason);
  }

  #send({ frame, messageId, to, alsoTo, key, dueAt }: Outgoing): Error | undefined {
    if (this.#state === "closed" || this.#state === "closing") return new ClosedError(`the transport "${this.name}"`);
    if (this.#state !== "open") return new DisconnectedError(this.name, "send");
    const { contentType, headers, body } = frame;
    const { maxFrameBytes } = this.capabilities;
    const packed = attributes(contentType, headers, to);
    const size = body.byteLength + JSON.stringify(packed).length;
    if (size > maxFrameBytes) return new MessageTooLargeError(messageId, "frame", size, maxFrameBytes);
    if (dueAt !== undefined && dueAt - this.#now() > maxDelayMs) {
      return new UnsupportedError(this.name, "a delay of more than 15 minutes", "Let a store keep it");
    }
    for (const address of [...alsoTo, to]) {
      const via = { ...packed, via: address };
      for (const queue of this.#broker.route(address) ?? []) {
        queue.send({ body, group: key, attributes: via }, dueAt ?? this.#now());
      }
    }
    return undefined;
  }

  #put(to: Address, contents: LeaseContents): boolean {
    const queues = this.#broker.route(to) ?? [];
    const dueAt = Number(contents.attributes["dueAt"] ?? 0);
    for (const queue of queues) queue.send(contents, Math.min(dueAt, this.#now() + maxDelayMs));
    return queues.length > 0;
  }

  #now(): number {
    return this.#host?.clock.now() ?? 0;
  }
}
