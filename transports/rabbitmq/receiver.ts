/** An open source. @module */
import type { Channel, ConsumeMessage } from "amqplib";
import { ClosedError, DisconnectedError } from "../../src/errors/transport.ts";
import type { Receiver, Settlement, Sink } from "../../src/spi/transport.ts";
import { exponentialBackoff } from "../../src/values/backoff.ts";
import { Arrivals } from "./arrivals.ts";
import { type Claim, Claims, type RabbitDelivery } from "./claims.ts";
import { Caution } from "./caution.ts";
import { codeOf, lossOf, toTyped, transportName } from "./errors.ts";
import type { StreamOffset } from "./queue_options.ts";
import type { ReceiverOptions, ReceiverServices } from "./receiver_options.ts";
import { type CopyServices, settle, type Settling } from "./settling.ts";

/** One channel of a receiver, and its consumers if there are any. */
interface Session {
  readonly channel: Channel;
  readonly claims: Claims;
  /** Whether the broker is to send; what comes all the same goes back. */
  taking: boolean;
  readonly consumers: string[];
  /** How many it has had. */
  tags: number;
  /** With which prefetch, together; 0: there is none. */
  prefetch: number;
}

/** AMQP's prefetch has 16 bits. */
const mostPrefetch = 65_535;
const backoff = exponentialBackoff({ min: "100ms", max: "10s", jitter: 0.3 });

/** A consumer on a channel of its own, made again when either is lost. */
export class RabbitReceiver implements Receiver, Settling {
  readonly address: string;
  readonly #services: ReceiverServices;
  readonly #options: ReceiverOptions;
  readonly #sink: Sink;
  readonly #arrivals: Arrivals;
  readonly #caution: Caution;
  /** What goes back would lose its place, or not come again: it stays until the channel ends. */
  readonly #holds: boolean;
  /** Of a stream: where to go on. */
  #offset: StreamOffset | undefined;
  #session: Session | undefined;
  #credit: number;
  #stopped = false;
  #closed = false;
  #running: Promise<void> | undefined;
  #again = false;
  #failures = 0;
  #endWait: (() => void) | undefined;
  #stopping: Promise<void> | undefined;
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

  /** Whether the broker has a consumer of it. */
  get consuming(): boolean {
    return (this.#session?.consumers.length ?? 0) > 0;
  }

  /** Whether nothing is unsettled or unheard. */
  get idle(): boolean {
    return this.#session?.claims.idle ?? true;
  }

  /**
   * Begins to take.
   *
   * @throws if the queue cannot be taken from
   */
  async start(): Promise<void> {
    try {
      await this.#reconcile();
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
    if (this.#running !== undefined) {
      this.#again = true;
      return;
    }
    this.#endWait?.();
    void this.#reconcile().then(() => {
      this.#failures = 0;
      this.#first?.resolve();
      this.#services.troubled(undefined);
    }, (error: Error) => this.#failed(error));
  }

  /** Its consumer is gone, and nobody has said so: takes anew. */
  renew(cause: Error): void {
    const session = this.#session;
    if (session === undefined || this.#closed) return;
    this.#ended(session, new DisconnectedError(transportName, `receive from "${this.address}"`, { cause }));
    void session.channel.close().catch(() => {});
    this.kick();
  }

  /** Ends for good: what is unsettled goes back, and the sink hears of it. */
  close(): void {
    if (this.#closed) return;
    this.#closed = this.#stopped = true;
    this.#endWait?.();
    this.#first?.reject(new ClosedError(`the transport "${transportName}"`));
    const session = this.#session;
    if (session !== undefined) {
      session.claims.flush();
      this.#ended(session, new ClosedError(`the transport "${transportName}"`));
      void session.channel.close().catch(() => {});
    }
    this.#services.ended();
  }

  async #stop(): Promise<void> {
    this.#stopped = true;
    this.#endWait?.();
    if (this.#session !== undefined) {
      await this.#reconcile().catch(() => {}); // the channel has ended, and takes nothing either
      const session = this.#session;
      for (const claim of [...this.#arrivals.clear(), ...this.#caution.clear()]) this.#giveBack(claim);
      session?.claims.flush();
      if (session !== undefined) await this.#services.remove(session.channel).catch(() => {});
    }
    this.#retire();
  }

  /** Stopped, and with nothing left to settle: its channel is needed no more. */
  #retire(): void {
    if (!this.#stopped || this.#closed || !this.idle) return;
    this.#closed = true;
    const session = this.#session;
    this.#session = undefined;
    if (session !== undefined) {
      session.claims.end();
      void session.channel.close().catch(() => {});
    }
    this.#services.ended();
  }

  #failed(error: Error): void {
    if (this.#closed) return;
    if (codeOf(error) !== undefined) this.#first?.reject(toTyped(error, this.address, "receive from"));
    if (!this.#services.connection.ready) return; // `kick` follows when it is back
    this.#services.troubled(toTyped(error, this.address, "receive from"));
    const { clock } = this.#services.host;
    const cancel = clock.at(clock.now() + backoff(this.#failures++), () => {
      this.#endWait = undefined;
      this.kick();
    });
    this.#endWait = () => {
      this.#endWait = undefined;
      cancel();
    };
  }

  /** Makes what is at the broker what it should be. One at a time: whoever asks meanwhile has it looked at again. */
  async #reconcile(): Promise<void> {
    while (this.#running !== undefined) {
      this.#again = true;
      await this.#running.catch(() => {});
    }
    this.#running = this.#compare();
    try {
      await this.#running;
    } finally {
      this.#running = undefined;
    }
  }

  async #compare(): Promise<void> {
    do {
      this.#again = false;
      if (this.#closed) return;
      if (this.#session === undefined && this.#stopped) return;
      const session = this.#session ??= await this.#open();
      const wanted = this.#wanted(session);
      if (session.prefetch !== wanted) await this.#consume(session, wanted);
    } while (this.#again);
  }

  #wanted({ prefetch }: Session): number {
    if (this.#stopped) return 0;
    // To take less it would have to give back, and others of a key would pass. It hands out less instead.
    if (this.#holds && prefetch > 0) return prefetch;
    return this.#caution.allowed(Math.min(this.#credit, mostPrefetch));
  }

  async #open(): Promise<Session> {
    const { connection, host } = this.#services;
    if (!connection.ready) throw new DisconnectedError(transportName, `receive from "${this.address}"`);
    const channel = await connection.channel();
    let reason: Error | undefined;
    const session: Session = {
      channel,
      claims: new Claims(channel, host.clock, () => this.#retire()),
      taking: false,
      consumers: [],
      tags: 0,
      prefetch: 0,
    };
    channel.on("error", (error: Error) => reason = error);
    channel.on("close", () => {
      if (this.#session !== session) return;
      this.#ended(session, lossOf(reason, this.address));
      // What is under way fails by itself, and is tried again without hurry. Else at once, when it is known whether the
      // connection has ended, too.
      if (this.#running === undefined) queueMicrotask(() => this.kick());
    });
    await this.#services.declare(channel);
    return session;
  }

  async #consume(session: Session, wanted: number): Promise<void> {
    const { channel, claims } = session;
    const { queue, priority, exclusive } = this.#options;
    // A second consumer beside the first takes what more is wanted: the broker limits each by itself.
    const grows = wanted > session.prefetch && session.consumers.length === 1 && !exclusive;
    // Else what came and was not handed out goes to others, which the broker counts, unless it is handed out first.
    const keeps = grows || (this.#caution.isolating && !this.#stopped);
    session.taking = keeps;
    if (!grows) {
      session.prefetch = 0;
      for (const consumer of session.consumers.splice(0)) await channel.cancel(consumer);
    }
    if (!keeps) { for (const claim of this.#arrivals.clear()) this.#giveBack(claim); }
    claims.flush();
    if (wanted === 0) return this.#caution.isolating ? this.#isolate() : undefined;
    const prefetch = wanted - session.prefetch;
    claims.prefetch = wanted;
    session.taking = true;
    session.prefetch = wanted;
    const [, { consumerTag }] = await Promise.all([
      channel.prefetch(prefetch),
      channel.consume(queue, (message) => this.#came(session, message), {
        // Each delivery says it: the broker's own are 31 bytes long.
        consumerTag: String(++session.tags),
        exclusive,
        ...(priority === undefined ? {} : { priority }),
        ...(this.#offset === undefined ? {} : { arguments: { "x-stream-offset": this.#offset } }),
      }),
    ]);
    session.consumers.push(consumerTag);
  }

  #came(session: Session, message: ConsumeMessage | null): void {
    if (message === null) { // the queue is gone, or its node
      if (this.#session === session) this.renew(new Error("The broker has cancelled the consumer"));
      return;
    }
    const claim = session.claims.add(message, this);
    if (!session.taking || this.#stopped) return this.#giveBack(claim);
    const { held, changed } = this.#caution.saw(claim);
    if (!held) this.#arrivals.add(claim, this.#options.named, this.#services);
    if (changed) this.kick();
  }

  /** Hands out the next suspect, once all else is settled. */
  #isolate(): void {
    if (!this.#arrivals.idle || this.#session === undefined || this.#stopped) return;
    this.#session.claims.hurry();
    const claim = this.#caution.next();
    if (claim === undefined) this.kick();
    else this.#arrivals.add(claim, this.#options.named, this.#services);
  }

  #giveBack(claim: Claim): void {
    if (this.#holds) claim.claims.keep(claim);
    else claim.claims.release(claim);
  }

  #ended(session: Session, reason: Error): void {
    this.#session = undefined;
    this.#arrivals.forget();
    this.#caution.reset();
    if (this.#offset !== undefined) this.#offset = session.claims.position ?? this.#offset;
    const lost: readonly RabbitDelivery[] = session.claims.end();
    if (lost.length > 0) this.#sink.lost(lost, reason);
    if (this.#stopped && !this.#closed) this.#retire();
  }
}
