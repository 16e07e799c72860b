/** An open source. @module */
import { StoreUnavailableError } from "../../src/errors/store.ts";
import type { QueueOwner } from "../../src/leasing/own_queue.ts";
import type { Address, Receiver, Settlement, Sink, Source } from "../../src/spi/transport.ts";
import { storeName } from "../../stores/postgres/errors.ts";
import { Claims, type ClaimsOwner } from "./claims.ts";
import type { Lease } from "./lease.ts";
import { foundOf, Late } from "./late.ts";
import type { Found, Held } from "./message.ts";
import { maxClaim } from "./message_statements.ts";
import type { Claimed } from "./messages.ts";
import { News } from "./news.ts";
import type { Handed, Taking } from "./offers.ts";
import { PostgresOwnQueue } from "./own_queue.ts";
import { Pace } from "./pace.ts";
import { retryMs, type Services } from "./services.ts";
import { isPlain, type Settling } from "./settling.ts";
import type { Queue } from "./topology.ts";

/** So many that are to be accepted are reason enough for a flight. */
const manyAccepted = 64;

/**
 * Takes from a queue, as many as there is room for. One flight at a time: what is accepted meanwhile goes with the next,
 * which claims as many again. What becomes of what it has taken is its {@linkcode Claims}' matter.
 */
export class PostgresReceiver implements Receiver, Taking, ClaimsOwner, QueueOwner<Queue> {
  protected readonly services: Services;
  readonly #sink: Sink;
  /** What it has taken. */
  readonly claims: Claims;
  readonly #among: Set<PostgresReceiver>;
  readonly #own: PostgresOwnQueue | undefined;
  readonly #pace: Pace;
  /** What it holds beyond that leaves time for the next claim. */
  readonly #enough: number;
  #queue: Queue;
  #credit: number;
  /** The flights under way, one after the other. */
  #running: Promise<void> | undefined;
  /** Something may have come since it looked. */
  #news = false;
  /** How many the claim asks for that is under way; 0: none is. */
  #asked = 0;
  /** The last claim found so little that most of what comes may be handed over. */
  #scarce = false;
  readonly #late = new Late();
  /** Room that is kept for what is being written for it. */
  #reserved = 0;
  #armedFor = Infinity;
  #disarm: (() => void) | undefined;
  #stopped: Promise<void> | undefined;

  /** @param among the receivers of its transport: it is one of them until it has stopped and holds nothing */
  constructor(
    services: Services,
    queue: Queue,
    source: Pick<Source, "credit" | "holdMs" | "topics" | "concurrency">,
    sink: Sink,
    among: Set<PostgresReceiver>,
  ) {
    this.services = services;
    this.#sink = sink;
    this.#queue = queue;
    this.#credit = source.credit;
    this.#among = among;
    this.#pace = new Pace(services.database.clock);
    this.#enough = source.concurrency === undefined ? Infinity : 2 * source.concurrency;
    this.claims = new Claims(services, this, sink, source.holdMs);
    if (queue.lifetime !== "durable") this.#own = new PostgresOwnQueue(services, queue, source.topics, this);
    among.add(this);
  }

  get address(): Address {
    return `queue:${this.#queue.name}`;
  }
  get queue(): Queue {
    return this.#queue;
  }
  /** Whether it takes no more, and its queue was its own: what it has goes nowhere else. */
  get abandoned(): boolean {
    return this.#stopped !== undefined && this.#queue.lifetime !== "durable";
  }
  /** How many more it may hold. */
  get room(): number {
    return this.#stopped !== undefined ? 0 : this.#credit - this.claims.unsettled - this.#reserved;
  }
  /** As {@linkcode Taking.hungry}. */
  get hungry(): number {
    if (this.#news || !this.takesOffers || this.#asked > 0 && !this.#scarce) return 0;
    return Math.max(this.room - this.#asked, 0);
  }
  /** Whether it takes what was not there when it began. */
  protected get takesOffers(): boolean {
    return true;
  }

  /** As {@linkcode Taking.reserve}. */
  reserve(count: number): void {
    this.#reserved += count;
    if (count < 0 && this.#news) this.#run();
  }

  /** As {@linkcode Taking.handed}. */
  handed(all: readonly Handed[], until: number): void {
    if (this.#asked === 0) return this.claims.deliver(all.map(foundOf), until);
    this.#late.add(all, until);
    this.#reserved += all.length;
  }

  /** Whether it is a receiver of that transport. */
  isOf(services: Services): boolean {
    return this.services === services;
  }

  /** Begins to take. */
  start(): void {
    this.#own?.start();
    this.wake();
  }

  /** Something may be there at a time. */
  expect(at: number): void {
    if (at <= this.services.database.clock.now()) this.wake();
    else this.#arm(at);
  }

  /** Something may be there. */
  wake(): void {
    this.#news = true;
    this.#run();
  }

  /** It may have room again. */
  freed(): void {
    this.#run();
  }

  credit(total: number): void {
    this.#credit = total;
    this.wake();
  }

  settle(batch: readonly Settlement[]): Promise<void> {
    const settled = this.claims.settle(batch);
    this.#run();
    return settled;
  }

  stop(): Promise<void> {
    return this.#stopped ??= this.#stop();
  }

  /** Takes no more; resolves once the database has what is being settled. */
  async flush(): Promise<void> {
    await this.stop();
    while (this.#running !== undefined) await this.#running;
  }

  /** Ends for good. Gives what is to go back; the sink hears of it if there is a reason. */
  close(reason: Error | undefined): readonly Lease[] {
    void this.stop().catch(() => {});
    return this.claims.close(reason);
  }

  /** As {@linkcode QueueOwner.renewed}: what was there is gone. */
  renewed(queue: Queue): void {
    this.claims.loseAll();
    this.#queue = queue;
    this.#sink.readdressed();
    this.wake();
  }

  /** As {@linkcode ClaimsOwner.emptied}. */
  emptied(): void {
    this.idle();
    if (this.#stopped === undefined) return;
    this.claims.end();
    this.#among.delete(this);
  }

  /** Takes so many, and accepts what is plain. */
  protected claim(limit: number, accepted: readonly Held[]): Promise<Claimed> {
    const { database, messages, leaseMs } = this.services;
    return messages.claim(database, this.#queue.id, limit, leaseMs, accepted);
  }

  /** What a claim gave has been delivered. `all`: there was no more. */
  protected given(_all: boolean): void {}

  /** Nothing is unsettled. */
  protected idle(): void {}

  #run(): void {
    if (this.#running !== undefined) {
      if (this.#pace.waits && this.#hurries()) this.#pace.hurry();
    } else if (this.#hasWork()) this.#running = this.#fly();
  }

  #hasWork(): boolean {
    return !this.claims.settler.isEmpty || this.#news && this.room > 0;
  }

  /** Whether somebody waits for its next flight, or has nothing to do before. */
  #hurries(): boolean {
    const { settler, unsettled } = this.claims;
    return this.#stopped !== undefined || settler.size >= manyAccepted ||
      this.#news && this.room > 0 && unsettled < this.#enough ||
      settler.some((each) => !isPlain(each, this.abandoned));
  }

  /** How many are to be claimed now. */
  #wanted(): number {
    if (!this.#news) return 0;
    // Half of it stays for what is handed over meanwhile.
    return Math.min(this.#scarce ? Math.ceil(this.room / 2) : this.room, maxClaim);
  }

  async #fly(): Promise<void> {
    await undefined; // what is settled in the same turn goes together
    while (this.#hasWork() && !this.claims.isClosed) {
      const answered = this.#expectAnswer();
      try {
        await this.#pace.turn(this.#hurries());
        const { plain, others } = this.claims.settler.take((each) => isPlain(each, this.abandoned));
        const wanted = this.#wanted();
        await Promise.all([
          others.length > 0 ? this.claims.settler.write(others) : undefined,
          wanted > 0 ? this.#claim(wanted, plain) : plain.length > 0 ? this.claims.settler.accept(plain) : undefined,
        ]);
        answered();
        this.services.worked();
      } catch (error) {
        answered();
        if (this.claims.isClosed) break;
        this.services.failed(error);
        await this.services.pause(retryMs);
        if (this.#stopped === undefined) this.#news = true;
      }
    }
    this.#running = undefined; // in the very turn in which nothing was left
  }

  /** Says so where a flight takes longer than a lease: a connection may be dead, and nobody has told. Ends with its call. */
  #expectAnswer(): () => void {
    const { database, leaseMs, failed, silent } = this.services;
    const { clock, where } = database;
    const cancel = (clock.background ?? clock).at(clock.now() + leaseMs, () => {
      if (this.claims.isClosed) return;
      silent.add(this);
      failed(new StoreUnavailableError(storeName, where, `it has said nothing for ${leaseMs} ms`));
    });
    return () => {
      cancel();
      silent.delete(this);
    };
  }

  async #claim(wanted: number, plain: readonly Settling[]): Promise<void> {
    const { database, messages, leaseMs, pollMs, announce } = this.services;
    this.#news = false;
    this.#asked = wanted;
    const until = database.clock.now() + leaseMs;
    let claimed: Claimed;
    try {
      claimed = await this.claim(wanted, plain.map(({ lease }) => lease));
    } catch (error) {
      this.claims.settler.putBack(plain);
      await this.#deliver([], Infinity, false);
      throw error;
    }
    const { found, accepted, dueInMs } = claimed;
    this.claims.settler.accepted(plain, accepted);
    // All that it had asked for: there is more, probably.
    const more = found.length >= wanted;
    this.#scarce = found.length * 2 < wanted;
    if (more) this.#news = true;
    else this.#arm(database.clock.now() + Math.min(Math.max(dueInMs, 0), pollMs));
    await this.#deliver(found, until, more);
    this.given(found.length < wanted);
    if (dueInMs > 0) return;
    const news = new News();
    await messages.enter(database, this.#queue.id, news);
    announce(news);
    this.#news = true;
  }

  /** Delivers what was claimed, and, in order, what was handed over meanwhile. What is behind others goes back. */
  async #deliver(found: readonly Found[], until: number, more: boolean): Promise<void> {
    this.#asked = 0;
    const { fit, until: all, behind } = this.#late.with(found, until, more);
    this.#reserved -= this.#late.clear();
    this.claims.deliver(fit, all);
    if (behind.length > 0) await this.claims.giveBack(behind, false);
  }

  async #stop(): Promise<void> {
    this.#disarm?.();
    this.#armedFor = Infinity;
    this.#own?.stop();
    await undefined; // from here on it counts as stopped
    this.#run();
    await this.#running;
    await this.#own?.remove();
    if (this.claims.size === 0) this.emptied();
  }

  #arm(at: number): void {
    if (at >= this.#armedFor || at === Infinity || this.#stopped !== undefined) return;
    this.#disarm?.();
    this.#armedFor = at;
    const { clock } = this.services.database;
    this.#disarm = (clock.background ?? clock).at(at, () => {
      this.#armedFor = Infinity;
      this.wake();
    });
  }
}
