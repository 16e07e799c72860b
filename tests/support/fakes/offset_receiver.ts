/** A member of a group: fetches, delivers, and commits the contiguous prefix of what is settled. */
import type { Clock } from "../../../src/spi/clock.ts";
import { UnroutableError } from "../../../src/errors/sending.ts";
import { DisconnectedError } from "../../../src/errors/transport.ts";
import type { FrameHeaders } from "../../../src/spi/frame.ts";
import type { Address, Delivery, Receiver, Settlement, Sink, Source } from "../../../src/spi/transport.ts";
import type { Group, LogRecord, MemberOfGroup, Partition } from "./offset_broker.ts";
import { unpackHeaders } from "./packed_headers.ts";

interface Native {
  readonly partition: Partition;
  readonly offset: number;
}

/** What a receiver asks of its transport. */
export interface OffsetServices {
  readonly clock: Clock;
  /** Appends a copy; false: there is no such address. */
  produce(to: Address, delivery: Delivery, headers: FrameHeaders, dueAt?: number): boolean;
  /** It has ended. */
  ended(receiver: OffsetReceiver): void;
}

/** The receiver of a group, or of a reply topic that it reads alone. */
export class OffsetReceiver implements Receiver, MemberOfGroup {
  readonly address: Address;
  readonly group: Group;
  readonly #source: Source;
  readonly #sink: Sink;
  readonly #services: OffsetServices;
  readonly #natives = new Map<Delivery, Native>();
  /** Of each partition that it has: what became of the offsets from the committed one on. */
  readonly #partitions = new Map<Partition, Map<number, "flying" | "done">>();
  #credit: number;
  #fetching = false;
  #stopped = false;
  #left = false;
  #timer: (() => void) | undefined;
  /** The settlements that the broker has not heard yet. */
  #heard: Promise<void> = Promise.resolve();

  constructor(address: Address, group: Group, source: Source, sink: Sink, services: OffsetServices) {
    this.address = address;
    this.group = group;
    this.#source = source;
    this.#sink = sink;
    this.#services = services;
    this.#credit = source.credit;
  }

  get leaving(): boolean {
    return this.#stopped;
  }

  assigned(partition: Partition): void {
    this.#partitions.set(partition, new Map());
    this.appended();
  }

  revoked(partition: Partition): void {
    this.#partitions.delete(partition);
    this.#lose((native) => native.partition === partition);
  }

  appended(): void {
    if (this.#fetching || this.#stopped) return;
    this.#fetching = true;
    queueMicrotask(() => this.#fetch());
  }

  settle(batch: readonly Settlement[]): Promise<void> {
    const heard = this.#heard.then(() => this.#settle(batch)); // a broker hears of it later
    this.#heard = heard.catch(() => {});
    return heard;
  }

  /** Resolves once the broker has heard of all that was settled. */
  flush(): Promise<void> {
    return this.#heard;
  }

  #settle(batch: readonly Settlement[]): void {
    let failure: Error | undefined;
    for (const settlement of batch) {
      const { delivery } = settlement;
      const native = this.#natives.get(delivery);
      const state = native && this.#partitions.get(native.partition);
      if (native === undefined || state === undefined) continue;
      if (settlement.outcome === "release") {
        this.#seek(delivery, native, state);
        continue;
      }
      if (settlement.outcome === "again") {
        // To the retry topic of the group, whatever the delay.
        const { dueAt, headers } = settlement;
        this.#services.produce(`retry:${this.#source.queue}`, delivery, headers, dueAt);
      }
      if (
        settlement.outcome === "move" && !this.#services.produce(settlement.to, delivery, settlement.headers)
      ) {
        failure ??= new UnroutableError("a moved message", settlement.to);
        continue;
      }
      this.#natives.delete(delivery);
      state.set(native.offset, "done");
      this.#commit(native.partition, state);
    }
    this.#giveUp();
    this.appended();
    if (failure !== undefined) throw failure;
  }

  credit(total: number): void {
    this.#credit = total;
    this.appended();
  }

  stop(): Promise<void> {
    if (!this.#stopped) {
      this.#stopped = true;
      this.#timer?.();
      this.#giveUp();
    }
    return Promise.resolve();
  }

  /** Leaves the group; the sink hears of it if there is a reason. */
  close(reason: Error | undefined): void {
    if (reason === undefined) this.#natives.clear();
    this.#lose(() => true);
    this.#partitions.clear();
    void this.stop();
  }

  /** To the offset of the delivery, and so also to those behind it: they come again, as does what was settled. */
  #seek(delivery: Delivery, { partition, offset }: Native, state: Map<number, "flying" | "done">): void {
    this.#natives.delete(delivery);
    for (const at of [...state.keys()]) if (at >= offset) state.delete(at);
    this.#lose((native) => native.partition === partition && native.offset > offset);
  }

  #lose(which: (native: Native) => boolean): void {
    const lost = [...this.#natives].flatMap(([delivery, native]) => which(native) ? [delivery] : []);
    for (const delivery of lost) this.#natives.delete(delivery);
    if (lost.length > 0) this.#sink.lost(lost, new DisconnectedError("offset", "hold what it had read"));
  }

  #commit(partition: Partition, state: Map<number, "flying" | "done">): void {
    let next = this.group.committed(partition);
    while (state.get(next) === "done") state.delete(next++);
    this.group.commit(partition, next);
  }

  /** Once stopped, the partitions of which nothing is unsettled go to others; with the last one, it leaves. */
  #giveUp(): void {
    if (!this.#stopped || this.#left) return;
    for (const partition of [...this.#partitions.keys()]) {
      if ([...this.#natives.values()].some((native) => native.partition === partition)) continue;
      this.#partitions.delete(partition);
      this.group.release(partition, this);
    }
    if (this.#partitions.size > 0) this.group.rebalance();
    else {
      this.#left = true;
      this.group.leave(this);
      this.#services.ended(this);
    }
  }

  #fetch(): void {
    this.#fetching = false;
    if (this.#stopped) return;
    const batch: Delivery[] = [];
    const now = this.#services.clock.now();
    let nextDue = Infinity;
    for (const [partition, state] of this.#partitions) {
      const busy = new Set<string>();
      if (this.#source.ordered) {
        for (const [delivery, native] of this.#natives) {
          if (native.partition.topic === partition.topic && delivery.key !== undefined) busy.add(delivery.key);
        }
      }
      for (let offset = this.group.committed(partition); offset < partition.records.length; offset++) {
        if (this.#natives.size >= this.#credit) break;
        const record = partition.records[offset];
        if (record === undefined || state.has(offset)) continue;
        if (record.dueAt !== undefined && record.dueAt > now) nextDue = Math.min(nextDue, record.dueAt);
        else if (record.key === undefined || !busy.has(record.key)) {
          const delivery = read(record, partition);
          state.set(offset, "flying");
          this.#natives.set(delivery, { partition, offset });
          batch.push(delivery);
          if (this.#source.ordered && record.key !== undefined) busy.add(record.key);
        }
      }
    }
    this.#timer?.();
    const { clock } = this.#services;
    this.#timer = nextDue === Infinity ? undefined : (clock.background ?? clock).at(nextDue, () => this.appended());
    if (batch.length > 0) this.#sink.deliver(batch);
  }
}

function read({ key, contentType, headers, body }: LogRecord, { topic }: Partition): Delivery {
  const via = topic.startsWith("retry:") ? undefined : topic;
  return { frame: { contentType, headers: unpackHeaders(headers), body }, key, via, deliveryCount: undefined };
}
