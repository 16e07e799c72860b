/** Kafka's shape: logs of partitions, read by groups that commit how far they are. */

/** A record: never changed, never taken away. */
export interface LogRecord {
  readonly key: string | undefined;
  readonly contentType: string;
  readonly headers: string;
  readonly body: Uint8Array;
  /** Epoch milliseconds, on a retry topic. */
  readonly dueAt: number | undefined;
}

/** A log. */
export interface Partition {
  readonly topic: string;
  readonly records: LogRecord[];
}

/** What a member of a group is told. */
export interface MemberOfGroup {
  /** No more partitions for it. */
  readonly leaving: boolean;
  /** It has this partition, from where the group has committed. */
  assigned(partition: Partition): void;
  /** It has it no more: what it has of it is lost. */
  revoked(partition: Partition): void;
  /** There are new records. */
  appended(): void;
}

const partitionsOfTopic = 4;

/** A group: who of it reads which partition, and how far all have come. */
export class Group {
  readonly #owners = new Map<Partition, MemberOfGroup | undefined>();
  readonly #committed = new Map<Partition, number>();
  readonly #members = new Set<MemberOfGroup>();

  /** From now on it reads these, from the end of each. */
  subscribe(partitions: readonly Partition[]): void {
    for (const partition of partitions) {
      if (this.#committed.has(partition)) continue;
      this.#committed.set(partition, partition.records.length);
      this.#owners.set(partition, undefined);
    }
  }

  has(partition: Partition): boolean {
    return this.#committed.has(partition);
  }

  committed(partition: Partition): number {
    return this.#committed.get(partition) ?? 0;
  }

  commit(partition: Partition, next: number): void {
    this.#committed.set(partition, next);
  }

  join(member: MemberOfGroup): void {
    this.#members.add(member);
    this.rebalance();
  }

  leave(member: MemberOfGroup): void {
    if (!this.#members.delete(member)) return;
    this.rebalance();
  }

  /** A member gives up a partition by itself: it has nothing of it. */
  release(partition: Partition, member: MemberOfGroup): void {
    if (this.#owners.get(partition) === member) this.#owners.set(partition, undefined);
  }

  /** Takes every partition of the member away, and shares anew. */
  revokeAll(member: MemberOfGroup): void {
    for (const [partition, owner] of this.#owners) {
      if (owner !== member) continue;
      this.#owners.set(partition, undefined);
      member.revoked(partition);
    }
    this.rebalance();
  }

  /** Shares each topic's partitions among the members; only those that must move do. */
  rebalance(): void {
    const members = [...this.#members].filter(({ leaving }) => !leaving);
    const topics = Map.groupBy(this.#owners.keys(), ({ topic }) => topic);
    for (const partitions of topics.values()) {
      const least = Math.floor(partitions.length / Math.max(members.length, 1));
      /** How many members may have one more than the least. */
      let more = partitions.length % Math.max(members.length, 1);
      const counts = new Map<MemberOfGroup, number>(members.map((member) => [member, 0]));
      const free: Partition[] = [];
      for (const partition of partitions) {
        const owner = this.#owners.get(partition);
        const count = owner === undefined ? undefined : counts.get(owner);
        if (owner !== undefined && this.#members.has(owner) && owner.leaving) continue; // until it has settled
        if (owner !== undefined && count !== undefined && (count < least || (count === least && more > 0))) {
          counts.set(owner, count + 1);
          if (count === least) more--;
        } else {
          this.#owners.set(partition, undefined);
          owner?.revoked(partition);
          free.push(partition);
        }
      }
      for (const partition of free) {
        const [next] = [...counts].toSorted(([, a], [, b]) => a - b);
        if (next === undefined) continue;
        counts.set(next[0], next[1] + 1);
        this.#owners.set(partition, next[0]);
        next[0].assigned(partition);
      }
    }
  }

  appended(): void {
    for (const member of this.#members) member.appended();
  }
}

/** What several transports share. */
export class OffsetBroker {
  readonly #topics = new Map<string, readonly Partition[]>();
  readonly groups = new Map<string, Group>();
  #spread = 0;

  /** Makes a topic; false: it was there. */
  create(topic: string, partitions: number = partitionsOfTopic): boolean {
    if (this.#topics.has(topic)) return false;
    this.#topics.set(topic, Array.from({ length: partitions }, () => ({ topic, records: [] })));
    return true;
  }

  delete(topic: string): void {
    this.#topics.delete(topic);
  }

  partitions(topic: string): readonly Partition[] | undefined {
    return this.#topics.get(topic);
  }

  group(name: string): Group {
    let group = this.groups.get(name);
    if (group === undefined) this.groups.set(name, group = new Group());
    return group;
  }

  /** Appends, by the key's partition or to the next; false: there is no such topic. */
  append(topic: string, record: LogRecord): boolean {
    const partitions = this.#topics.get(topic);
    if (partitions === undefined) return false;
    const at = record.key === undefined ? this.#spread++ : hash(record.key);
    const partition = partitions[at % partitions.length];
    partition?.records.push(record);
    for (const group of this.groups.values()) if (partition !== undefined && group.has(partition)) group.appended();
    return true;
  }
}

/** Any hash does: FNV-1a of the UTF-16 units. */
function hash(key: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < key.length; at++) value = Math.imul(value ^ key.charCodeAt(at), 0x01000193) >>> 0;
  return value;
}
