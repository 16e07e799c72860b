/** An open source. @module */
import type { ConsumeMessage } from "amqplib";
import { AcknowledgementTimeoutError, ClosedError, DisconnectedError } from "../../src/errors/transport.ts";
import type { Receiver, Settlement, Sink } from "../../src/spi/transport.ts";
import { Arrivals, type ArrivalServices } from "./arrivals.ts";
import type { Claim, RabbitDelivery } from "./claims.ts";
import { Caution } from "./caution.ts";
import { codeOf, codes, toTyped, transportName } from "./errors.ts";
import { Postponing } from "./postponing.ts";
import type { StreamOffset } from "./queue_options.ts";
import type { ReceiverOptions, ReceiverServices } from "./receiver_options.ts";
import { Rounds } from "./rounds.ts";
import { Session, type SessionOwner } from "./session.ts";
import { type CopyServices, settle, type Settling } from "./settling.ts";

/** AMQP's prefetch has 16 bits. */
const mostPrefetch = 65_535;

/** A consumer on a channel of its own, made again when either is lost. */
export class RabbitReceiver implements Receiver, Settling, SessionOwner {
  readonly address: string;
  /** As {@linkcode SessionOwner}. */
  bereft = false;
  readonly #services: ReceiverServices;
  readonly #options: ReceiverOptions;
  readonly #sink: Sink;
  readonly #arrivals: Arrivals;
  readonly #caution: Caution;
  readonly #postponing: Postponing;
  readonly #arrivalServices: ArrivalServices;
  /** Make what is at the broker what it should be. */
  readonly #rounds: Rounds;
  /** What goes back would lose its place, or not come again: it stays until the channel ends. */
  readonly #holds: boolean;
  /** Of a stream: where to go on. */
  #offset: StreamOffset | undefined;
  #session: Session | undefined;
  #credit: number;
  #stopped = false;
  #closed = false;
  #stopping: Promise<void> | undefined;
  readonly #gone: PromiseWithResolvers<void> = Promise.withResolvers<void>();
  /** Whoever has opened it, and waits for a connection. */
  #first: PromiseWithResolvers<void> | undefined;

  constructor(sink: Sink, services: ReceiverServices, options: ReceiverOptions) {
    this.#sink = sink;
    this.#services = services;
    this.#options = options;
    this.#credit = options.credit;
    this.address = `queue:${options.queue}`;
    this.#holds = options.ordered || options.offset !== undefined;
    // Whoever cancels a single active consumer hands its queue over.
    this.#caution = new Caution(options.counts && !this.#holds);
    this.#offset = options.offset;
    this.#arrivals = new Arrivals(sink, options, () => this.#stopped ? 0 : this.#credit);
    this.#postponing = new Postponing(services.host.clock, services);
    this.#arrivalServices = {
      now: () => services.now(),
      early: (claim, dueAt) => this.#postponing.add(claim, dueAt),
    };
    this.#rounds = new Rounds(services.host.clock, () => this.#compare());
  }

  /** From where it takes. */
  get queue(): string {
    return this.#options.queue;
  }

  /** Whether the broker counts its consumer: it does not count those of streams. */
  get counted(): boolean {
    return this.#options.offset === undefined;
  }

  /** Whether it should have a consumer at the broker. */
  get wanting(): boolean {
    return !this.#stopped && !this.#closed && this.#credit > 0 && !this.#caution.isolating;
  }

  /** How many have been handed out and are not settled. */
  get unsettled(): number {
    return this.#arrivals.unsettled;
  }

  /** Resolves once it is stopped, has nothing left to settle, and its channel has ended, with which the rest goes back. */
  get gone(): Promise<void> {
    return this.#gone.promise;
  }

  /** Whether the broker has a consumer of it. */
  get consuming(): boolean {
    return (this.#session?.consumers ?? 0) > 0;
  }

  /**
   * Begins to take.
   *
   * @throws if the queue cannot be taken from
   */
  async start(): Promise<void> {
    try {
      await this.#rounds.run();
    } catch (error) {
      if (codeOf(error) !== undefined) throw toTyped(error, this.address, "receive from");
      if (this.#closed) throw new ClosedError(`the transport "${transportName}"`);
      // The connection has just gone. It is taken from when that is back.
      const first = Promise.withResolvers<void>();
      this.#first = first;
      if (this.#services.connection.ready) this.kick();
      await first.promise;
    }
  }

  /** As {@linkcode Settling}. */
  get copies(): CopyServices {
    return this.#services.copies;
  }

  settle(batch: readonly Settlement[]): Promise<void> {
    return settle(batch, this);
  }

  /** As {@linkcode Settling}. */
  settled(delivery: RabbitDelivery): void {
    this.#arrivals.settled(delivery);
    if (this.#caution.isolating) this.#isolate();
  }

  /** As {@linkcode Settling}: an ordered source takes it again by itself, so that nothing of its key passes it. */
  release(delivery: RabbitDelivery, claim: Claim): void {
    if (this.#holds && !this.#stopped) return this.#arrivals.repeat(delivery);
    this.#giveBack(claim);
    this.settled(delivery);
  }

  credit(total: number): void {
    this.#credit = total;
    if (this.#stopped) return;
    this.#arrivals.pump();
    this.kick();
  }

  stop(): Promise<void> {
    return this.#stopping ??= this.#stop();
  }

  /** The connection is there: takes again. */
  kick(): void {
    if (this.#closed) return;
    if (this.#rounds.join()) return;
    this.#rounds.endWait();
    void this.#rounds.run().then(() => {
      this.#rounds.succeeded();
      this.#first?.resolve();
      this.#services.troubled(undefined);
    }, (error: Error) => this.#failed(error));
  }

  /** Its consumer is gone, and nobody has said so: takes anew. */
  renew(cause: Error): void {
    const session = this.#session;
    if (session === undefined || this.#closed) return;
    const known = cause instanceof AcknowledgementTimeoutError;
    this.bereft ||= !known;
    this.#ended(
      session,
      known ? cause : new DisconnectedError(transportName, `receive from "${this.address}"`, { cause }),
    );
    void session.channel.close().catch(() => {});
    this.kick();
  }

  /** Ends for good: what is unsettled goes back, and the sink hears of it. */
  close(): void {
    if (this.#closed) return;
    this.#closed = this.#stopped = true;
    this.#rounds.endWait();
    this.#first?.reject(new ClosedError(`the transport "${transportName}"`));
    const session = this.#session;
    if (session !== undefined) {
      session.claims.flush();
      this.#ended(session, new ClosedError(`the transport "${transportName}"`));
    }
    this.#leave(session);
  }

  async #stop(): Promise<void> {
    this.#stopped = true;
    this.#rounds.endWait();
    if (this.#session !== undefined) {
      await this.#rounds.run().catch(() => {}); // the channel has ended, and takes nothing either
      const session = this.#session;
      if (session !== undefined) session.claims.gathers = false;
      for (const claim of [...this.#arrivals.clear(), ...this.#caution.clear()]) this.#giveBack(claim);
      this.#postponing.stop((claim) => this.#giveBack(claim));
      session?.claims.flush();
      if (session !== undefined) await this.#services.remove(session.channel).catch(() => {});
    }
    this.#retire();
  }

  /** Stopped, and with nothing left to settle: its channel is needed no more. */
  #retire(): void {
    if (!this.#stopped || this.#closed || this.#session?.claims.idle === false) return;
    this.#closed = true;
    const session = this.#session;
    this.#session = undefined;
    session?.claims.end();
    this.#leave(session);
  }

  #leave(session: Session | undefined): void {
    if (session === undefined) this.#gone.resolve();
    else {
      // Also where the connection ends instead, and nobody answers.
      session.channel.once("close", () => this.#gone.resolve());
      void session.channel.close().catch(() => {});
    }
    this.#services.ended();
  }

  #failed(error: Error): void {
    if (this.#closed) return;
    this.bereft ||= codeOf(error) === codes.notFound;
    if (codeOf(error) !== undefined) this.#first?.reject(toTyped(error, this.address, "receive from"));
    if (!this.#services.connection.ready) return; // `kick` follows when it is back
    this.#services.troubled(toTyped(error, this.address, "receive from"));
    this.#rounds.later(() => this.kick());
  }

  async #compare(): Promise<void> {
    if (this.#closed || (this.#session === undefined && this.#stopped)) return;
    const session = this.#session ??= await Session.open(this.#services, this);
    const wanted = this.#wanted(session);
    if (session.prefetch !== wanted) await this.#consume(session, wanted);
  }

  #wanted({ prefetch }: Session): number {
    if (this.#stopped) return 0;
    // To take less it would have to give back, and others of a key would pass. It hands out less instead.
    if (this.#holds && prefetch > 0) return prefetch;
    return this.#caution.allowed(Math.min(this.#credit, mostPrefetch));
  }

  async #consume(session: Session, wanted: number): Promise<void> {
    // A second consumer beside the first takes what more is wanted.
    const grows = wanted > session.prefetch && session.consumers === 1 && !this.#options.exclusive;
    // Else what came and was not handed out goes to others, which the broker counts, unless it is handed out first.
    const keeps = grows || (this.#caution.isolating && !this.#stopped);
    session.taking = keeps;
    if (!grows) await session.cancel();
    if (!keeps) { for (const claim of this.#arrivals.clear()) this.#giveBack(claim); }
    session.claims.flush();
    if (wanted > 0) {
      await session.consume(wanted, this.#options, this.#offset);
      this.bereft = false;
    } else if (this.#caution.isolating) this.#isolate();
  }

  /** As {@linkcode SessionOwner}. */
  allHeard(): void {
    this.#retire();
  }

  /** As {@linkcode SessionOwner}. */
  closed(session: Session, reason: Error): void {
    if (this.#session !== session) return;
    this.#ended(session, reason);
    // What is under way fails by itself, and is tried again without hurry. Else at once, when it is known whether the
    // connection has ended, too.
    if (!this.#rounds.running) queueMicrotask(() => this.kick());
  }

  /** As {@linkcode SessionOwner}. */
  came(session: Session, message: ConsumeMessage | null): void {
    if (message === null) { // the queue is gone, or its node, or what is held was for too long
      if (this.#session === session) this.renew(session.cancelled(this.#options.timeoutInMs));
      return;
    }
    const claim = session.claims.add(message, this);
    if (!session.taking || this.#stopped) return this.#giveBack(claim);
    const { held, changed } = this.#caution.saw(claim);
    if (!held) this.#arrivals.add(claim, this.#options.named, this.#arrivalServices);
    if (changed) this.kick();
  }

  /** Hands out the next suspect, once all else is settled. */
  #isolate(): void {
    if (!this.#arrivals.idle || this.#session === undefined || this.#stopped) return;
    this.#session.claims.hurry();
    const claim = this.#caution.next();
    if (claim === undefined) this.kick();
    else this.#arrivals.add(claim, this.#options.named, this.#arrivalServices);
  }

  #giveBack(claim: Claim): void {
    if (this.#holds) claim.claims.keep(claim);
    else claim.claims.release(claim);
  }

  #ended(session: Session, reason: Error): void {
    this.#session = undefined;
    this.#arrivals.forget();
    this.#caution.reset();
    this.#postponing.clear();
    if (this.#offset !== undefined) this.#offset = session.claims.position ?? this.#offset;
    const lost: readonly RabbitDelivery[] = session.claims.end();
    if (lost.length > 0) this.#sink.lost(lost, reason);
    if (this.#stopped && !this.#closed) this.#retire();
  }
}
