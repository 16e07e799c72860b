/** What one bus has to send, now or later. @module */
import { mostSetBackMs, type OutboxRow } from "../../src/spi/rows.ts";
import { LeasedRows } from "../../src/values/leased_rows.ts";
import type { Leased, Parked, Postponed } from "../../src/spi/store.ts";
import { goesBefore, KeyQueue, type Queued } from "./key_queue.ts";
import { Heap, type Heaped, keepPlace } from "../../src/values/heap.ts";

/** A row and what has become of it. */
export class Entry<out Row extends OutboxRow = OutboxRow> implements Heaped, Queued<Entry> {
  readonly row: Row;
  readonly sequence: number;
  /** Its place in the order of its key; not changed by failures. */
  dueAt: number;
  /** When it may be claimed: when it is due, its lease ends, or it may be tried again. */
  freeAt: number;
  fence = 0;
  attempts = 0;
  error = "";
  /** `blocked`: could be claimed, but that an earlier one of its key is unsent. */
  state: "waiting" | "ready" | "blocked" | "parked" | "gone" = "waiting";
  /** Whether it is in the queue of its key. */
  queued = false;
  place = -1;
  previous: Entry | undefined;
  next: Entry | undefined;

  constructor(row: Row, sequence: number, dueAt: number) {
    this.row = row;
    this.sequence = sequence;
    this.dueAt = dueAt;
    this.freeAt = dueAt;
  }
}

/** The rows of one bus: each is in the heap of what waits for a time, of what can be claimed, or in neither. */
export class DueRows<Row extends OutboxRow> {
  readonly #identity: (row: Row) => string;
  readonly #entries = new Map<string, Entry<Row>>();
  readonly #parked = new Set<Entry<Row>>();
  readonly #queues = new Map<string, KeyQueue<Entry>>();
  readonly #waiting = new Heap<Entry<Row>>(
    (a, b) => a.freeAt < b.freeAt || (a.freeAt === b.freeAt && a.sequence < b.sequence),
    keepPlace,
  );
  readonly #ready = new Heap<Entry>(goesBefore, keepPlace);
  readonly #leased = new LeasedRows<Row, Entry<Row>>();
  /** Told of every change. */
  readonly listeners = new Set<() => void>();
  #written = 0;

  /** @param identity by what a row is the same as another */
  constructor(identity: (row: Row) => string) {
    this.#identity = identity;
  }

  /** How many there are, the parked ones with them. */
  get size(): number {
    return this.#entries.size;
  }

  /** Adds a row; `undefined` if it is there already. */
  add(row: Row, now: number): Entry<Row> | undefined {
    const identity = this.#identity(row);
    if (this.#entries.has(identity)) return undefined;
    const entry = new Entry(row, ++this.#written, row.dueAt === 0 ? now : row.dueAt);
    // What is sent now goes behind what was sent before it, though the clock was set back in between: unless it could wait
    // for that one for as long.
    const last = row.dueAt === 0 && row.key !== undefined ? this.#queues.get(row.key)?.last : undefined;
    if (last !== undefined && last.dueAt > now && last.dueAt <= now + mostSetBackMs) entry.dueAt = last.dueAt;
    this.#entries.set(identity, entry);
    this.#advance(now);
    if (entry.freeAt <= now) this.#free(entry);
    else this.#waiting.push(entry);
    return entry;
  }

  /** Takes a row away, and gives it, if it is there. */
  remove(identity: string): Row | undefined {
    const entry = this.#entries.get(identity);
    if (entry !== undefined) this.#drop(entry);
    return entry?.row;
  }

  /** As `Due.claim`. */
  claim(limit: number, leaseMs: number, now: number): readonly Leased<Row>[] {
    this.#advance(now);
    const taken: Entry[] = [];
    while (taken.length < limit) {
      const entry = this.#ready.pop();
      if (entry === undefined) break;
      taken.push(entry);
      // The next of its key may come with it, in order.
      if (entry.next?.state === "blocked") this.#makeReady(entry.next);
    }
    for (const { next } of taken) if (next?.state === "ready" && next.place >= 0) this.#block(next);
    return taken.map((entry) => this.#lease(entry as Entry<Row>, now + leaseMs)); // all of these heaps are
  }

  /** Leases what was just written, as far as nothing goes before it. */
  claimWritten(written: readonly Entry<Row>[], leaseMs: number, now: number): readonly Leased<Row>[] {
    const taken = new Set<Entry>();
    for (const entry of written.toSorted((a, b) => a.dueAt - b.dueAt || a.sequence - b.sequence)) {
      if (entry.state === "ready") this.#ready.remove(entry.place);
      else if (entry.state !== "blocked" || entry.previous === undefined || !taken.has(entry.previous)) continue;
      taken.add(entry);
    }
    return [...taken].map((entry) => this.#lease(entry as Entry<Row>, now + leaseMs)); // as above
  }

  /** As `Due.done`, of one. */
  done(leased: Leased<Row>): void {
    const entry = this.#claimed(leased);
    if (entry !== undefined) this.#drop(entry);
  }

  /** As `Due.later`, of one. */
  later({ leased, dueAt, error, park, counts = true }: Postponed<Row>, now: number): void {
    const entry = this.#claimed(leased);
    if (entry === undefined) return;
    this.#takeOut(entry);
    if (counts) entry.attempts++;
    entry.error = error;
    entry.fence++; // the lease is over: what is said of it from now on does not count
    if (park) {
      this.#leaveQueue(entry);
      entry.state = "parked";
      this.#parked.add(entry);
      return;
    }
    entry.freeAt = dueAt;
    this.#advance(now);
    if (dueAt <= now) this.#free(entry);
    else {
      entry.state = "waiting";
      this.#waiting.push(entry);
    }
  }

  /** As `Due.unpark`. */
  unpark(ids: ReadonlySet<string>, now: number): number {
    let count = 0;
    this.#advance(now);
    for (const entry of [...this.#parked]) {
      if (!ids.has(entry.row.id)) continue;
      this.#parked.delete(entry);
      entry.dueAt = entry.freeAt = now;
      entry.attempts = 0;
      this.#free(entry);
      count++;
    }
    return count;
  }

  /** As `Due.discard`. */
  discard(ids: ReadonlySet<string>): number {
    const given = [...this.#parked].filter(({ row }) => ids.has(row.id));
    for (const entry of given) this.#drop(entry);
    return given.length;
  }

  /** As `Due.parked`. */
  parked(after: string | undefined, limit: number): readonly Parked<Row>[] {
    return [...this.#parked]
      .filter(({ row }) => after === undefined || row.id > after)
      .sort((a, b) => a.row.id < b.row.id ? -1 : 1)
      .slice(0, limit)
      .map(({ row, fence, attempts, error }) => ({ row, fence, attempts, until: 0, error }));
  }

  /** As `Due.stats`. */
  stats(now: number): { readonly waiting: number; readonly parked: number; readonly oldest: number | undefined } {
    let oldest: number | undefined;
    for (const { state, dueAt } of this.#entries.values()) {
      if (state !== "parked" && dueAt <= now && (oldest === undefined || dueAt < oldest)) oldest = dueAt;
    }
    return { waiting: this.#entries.size - this.#parked.size, parked: this.#parked.size, oldest };
  }

  /** When the next can be claimed; `undefined`: there is none. */
  next(now: number): number | undefined {
    this.#advance(now);
    return (this.#ready.peek() ?? this.#waiting.peek())?.freeAt;
  }

  /** Tells those who wait for something to be due. */
  changed(): void {
    for (const listener of [...this.listeners]) listener();
  }

  /** What a lease is of, if it is the last one. */
  #claimed(leased: Leased<Row>): Entry<Row> | undefined {
    const entry = this.#leased.placeOf(leased);
    return entry === undefined || entry.state === "gone" || entry.fence !== leased.fence ? undefined : entry;
  }

  #lease(entry: Entry<Row>, until: number): Leased<Row> {
    entry.fence++;
    entry.freeAt = until;
    entry.state = "waiting";
    this.#waiting.push(entry);
    return this.#leased.give(entry, entry.row, entry.fence, entry.attempts, until);
  }

  /** Frees what has become due, or whose lease has ended. */
  #advance(now: number): void {
    for (let entry = this.#waiting.peek(); entry !== undefined && entry.freeAt <= now; entry = this.#waiting.peek()) {
      this.#waiting.remove(entry.place);
      this.#free(entry);
    }
  }

  #free(entry: Entry): void {
    const { key } = entry.row;
    if (key !== undefined && !entry.queued) {
      let queue = this.#queues.get(key);
      if (queue === undefined) this.#queues.set(key, queue = new KeyQueue());
      queue.insert(entry);
      entry.queued = true;
      if (entry.next?.state === "ready") this.#block(entry.next);
    }
    if (entry.previous === undefined) this.#makeReady(entry);
    else entry.state = "blocked";
  }

  #makeReady(entry: Entry): void {
    entry.state = "ready";
    this.#ready.push(entry);
  }

  #block(entry: Entry): void {
    this.#ready.remove(entry.place);
    entry.state = "blocked";
  }

  #drop(entry: Entry<Row>): void {
    this.#takeOut(entry);
    this.#leaveQueue(entry);
    this.#parked.delete(entry);
    entry.state = "gone";
    this.#entries.delete(this.#identity(entry.row));
  }

  #takeOut(entry: Entry<Row>): void {
    if (entry.place < 0) return;
    if (entry.state === "ready") this.#ready.remove(entry.place);
    else this.#waiting.remove(entry.place);
  }

  /** Lets the next of its key go. */
  #leaveQueue(entry: Entry): void {
    const { key } = entry.row;
    if (key === undefined || !entry.queued) return;
    const queue = this.#queues.get(key);
    const { next } = entry;
    queue?.remove(entry);
    entry.queued = false;
    if (queue?.empty) this.#queues.delete(key);
    if (next?.state === "blocked" && next.previous === undefined) this.#makeReady(next);
  }
}
