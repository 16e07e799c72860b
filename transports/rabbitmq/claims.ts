/** What is unacknowledged on one channel. @module */
import type { Channel, Message } from "amqplib";
import type { Frame } from "../../src/spi/frame.ts";
import type { Address, Delivery } from "../../src/spi/transport.ts";
import type { Clock } from "../../src/spi/clock.ts";
import { Deque } from "../../src/values/deque.ts";
import type { Call } from "./call.ts";
import type { Reading } from "./frame.ts";

/** How long what was accepted behind an unfinished message waits for it, before it is acknowledged by itself. */
const patienceInMs = 50;
/** Acknowledgements cost a broker, and wake it: what is accepted waits for so many, or for so long. */
const gatheredCount = 100;
const gatheringInMs = 2;
/** AMQP answers no acknowledgement: a question behind it is answered once it was heard. Not more often than this. */
const askEveryInMs = 20;

/**
 * A message of one channel, and its tag. `copying`: a copy is on its way, and acceptance follows. `done`: the
 * acknowledgement is written. `kept`: it goes back with the channel.
 */
export class Claim {
  readonly message: Message;
  readonly claims: Claims;
  /** Who may settle it. */
  readonly owner: object;
  /** The queue that it came from, as an address. */
  readonly source: Address;
  state: "unsettled" | "copying" | "accepted" | "released" | "kept" | "done" | "lost" = "unsettled";
  /** As it was handed out last; `undefined`: it was not. */
  delivery: RabbitDelivery | undefined;
  /** Who waits until the broker has heard. */
  call: Call | undefined;

  constructor(message: Message, claims: Claims, owner: { readonly address: Address }) {
    this.message = message;
    this.claims = claims;
    this.owner = owner;
    this.source = owner.address;
  }
}

/** A message that came. It finds its claim by itself; one that has been handed out anew is another. */
export class RabbitDelivery implements Delivery {
  readonly frame: Frame;
  readonly key: string | undefined;
  readonly via: Address | undefined;
  readonly deliveryCount: number | undefined;
  declare readonly unreadable?: Error;
  /** `undefined`: it was only looked at. */
  readonly claim: Claim | undefined;

  constructor(reading: Reading, via: Address, claim: Claim | undefined, deliveryCount = reading.deliveryCount) {
    this.frame = reading.frame;
    this.key = reading.key;
    this.via = via;
    this.deliveryCount = deliveryCount;
    this.claim = claim;
    if (reading.unreadable !== undefined) this.unreadable = reading.unreadable;
  }
}

/** The claims of one channel, acknowledged several at once where that passes none that is unfinished. */
export class Claims {
  /** As the broker was told last; at least 1. */
  prefetch = 1;
  /** Whether what is accepted may wait for more. */
  gathers = true;
  readonly #channel: Channel;
  readonly #clock: Clock;
  /** By tag: those that are not acknowledged, and those behind them. */
  readonly #held = new Deque<Claim>();
  /** How many of those have no outcome that is written. */
  #open = 0;
  /** Accepted, and not acknowledged yet. */
  #accepted = 0;
  readonly #released: Claim[] = [];
  /** Written, and not asked about. */
  #unheard: Claim[] = [];
  /** Asked about, and not answered. */
  #asked: readonly Claim[] = [];
  /** Of a stream: where the last message was. */
  #last: number | undefined;
  #scheduled = false;
  #asking = false;
  #askedAt = 0;
  #endGathering: (() => void) | undefined;
  #endPatience: (() => void) | undefined;
  #endAsking: (() => void) | undefined;
  #over = false;
  readonly #idle: () => void;
  readonly #flush = (): void => this.flush();

  /** @param idle nothing is held any more, and the broker has heard of all */
  constructor(channel: Channel, clock: Clock, idle: () => void) {
    this.#channel = channel;
    this.#clock = clock;
    this.#idle = idle;
  }

  /** The channel is gone, and all claims with it. */
  get over(): boolean {
    return this.#over;
  }

  /** Whether nothing is held but what goes back with the channel, and the broker has heard of all else. */
  get idle(): boolean {
    return this.#open === 0 && this.#unheard.length === 0 && this.#asked.length === 0;
  }

  /** One has come, which `owner` alone may settle. */
  add(message: Message, owner: { readonly address: Address }): Claim {
    const claim = new Claim(message, this, owner);
    this.#held.pushBack(claim);
    this.#last = offsetOf(message);
    this.#open++;
    return claim;
  }

  /** Acknowledges it, soon. */
  accept(claim: Claim): void {
    claim.state = "accepted";
    this.#accepted++;
    // Where little more may come, what waits would hold it up.
    const scarce = this.#open > this.prefetch * 3 / 4;
    if (!this.gathers || scarce || this.#accepted >= gatheredCount) this.#schedule();
    else this.#endGathering ??= this.#clock.at(this.#clock.now() + gatheringInMs, this.#flush);
  }

  /** Gives it back when the channel ends, which alone keeps its place in the queue. */
  keep(claim: Claim): void {
    claim.state = "kept";
    this.#open--;
    if (this.idle) queueMicrotask(this.#idle);
  }

  /** Gives it back, soon; a quorum queue may put it at its end. */
  release(claim: Claim): void {
    claim.state = "released";
    this.#released.push(claim);
    this.#schedule();
  }

  /** Acknowledges all that is accepted, now. */
  hurry(): void {
    if (this.#over) return;
    this.flush();
    this.#try(() => this.#acknowledgeAll());
  }

  /** Of a stream: where the first message is that is not acknowledged, or the next; `undefined`: none has come. */
  get position(): number | undefined {
    for (const claim of this.#held) if (claim.state !== "done") return offsetOf(claim.message);
    return this.#last === undefined ? undefined : this.#last + 1;
  }

  /** The tag of the first that the broker has not been told of; `undefined`: there is none. */
  get oldest(): number | undefined {
    for (const claim of this.#held) if (claim.state !== "done") return claim.message.fields.deliveryTag;
    return undefined;
  }

  /** Writes what can be written now. */
  flush(): void {
    this.#scheduled = false;
    this.#stopGathering();
    if (!this.#over) this.#try(() => this.#write());
  }

  #write(): void {
    for (const claim of this.#released.sort((a, b) => a.message.fields.deliveryTag - b.message.fields.deliveryTag)) {
      // Not `nack`, which from RabbitMQ 4.3 on a quorum queue does not count towards its delivery limit.
      this.#channel.reject(claim.message, true);
      this.#written(claim);
    }
    this.#released.length = 0;
    this.#acknowledgePrefix();
    if (this.#accepted === 0) this.#stopPatience();
    else if (this.#accepted >= this.prefetch / 2) this.#acknowledgeAll();
    else {
      this.#endPatience ??= this.#clock.at(this.#clock.now() + patienceInMs, () => {
        this.#endPatience = undefined;
        if (!this.#over) this.#try(() => this.#acknowledgeAll());
      });
    }
    this.#ask();
  }

  /** A channel that ends throws before it says so: `end` follows. */
  #try(write: () => void): void {
    try {
      write();
    } catch {
      // Nothing was written, so all comes again.
    }
  }

  /** The channel has ended; gives what was handed out and of which the broker may not have heard. */
  end(): readonly RabbitDelivery[] {
    this.#over = true;
    this.#stopGathering();
    this.#stopPatience();
    this.#endAsking?.();
    const lost: RabbitDelivery[] = [];
    const waiting = new Set<Claim>([...this.#asked, ...this.#unheard, ...this.#held]);
    for (const claim of waiting) {
      const settled = (claim.state === "done" || claim.state === "kept") && claim.call === undefined;
      claim.state = "lost";
      claim.call?.done();
      claim.call = undefined;
      if (claim.delivery !== undefined && !settled) lost.push(claim.delivery);
    }
    this.#held.clear();
    this.#unheard = [];
    this.#asked = [];
    return lost;
  }

  #schedule(): void {
    if (this.#scheduled || this.#over) return;
    this.#scheduled = true;
    queueMicrotask(this.#flush);
  }

  #acknowledgePrefix(): void {
    let last: Claim | undefined;
    let count = 0;
    for (;;) {
      const claim = this.#held.peekFront();
      if (claim === undefined || (claim.state !== "accepted" && claim.state !== "done")) break;
      this.#held.popFront();
      if (claim.state === "done") continue;
      last = claim;
      count++;
      this.#accepted--;
      this.#written(claim);
    }
    if (last !== undefined) this.#channel.ack(last.message, count > 1);
  }

  /** One by one, as one before them is unfinished. */
  #acknowledgeAll(): void {
    this.#stopPatience();
    for (const claim of this.#held) {
      if (claim.state !== "accepted") continue;
      this.#channel.ack(claim.message);
      this.#accepted--;
      this.#written(claim);
    }
    this.#ask();
  }

  #written(claim: Claim): void {
    claim.state = "done";
    this.#open--;
    this.#unheard.push(claim);
  }

  #stopGathering(): void {
    this.#endGathering?.();
    this.#endGathering = undefined;
  }

  #stopPatience(): void {
    this.#endPatience?.();
    this.#endPatience = undefined;
  }

  /** Asks a question whose answer says that all before it was heard. */
  #ask(): void {
    if (this.#unheard.length === 0 || this.#asking) return;
    this.#asking = true;
    const ask = () => {
      this.#endAsking = undefined;
      this.#askedAt = this.#clock.now();
      this.#asked = this.#unheard;
      this.#unheard = [];
      this.#channel.prefetch(this.prefetch).then(() => {
        this.#asking = false;
        if (this.#over) return;
        for (const claim of this.#asked) {
          claim.call?.done();
          claim.call = undefined;
        }
        this.#asked = [];
        if (this.idle) this.#idle();
        this.#ask();
      }, () => {}); // the channel has ended, and `end` was called or follows
    };
    const now = this.#clock.now();
    // Where the clock was set back, the last question was not asked later than now.
    const next = Math.min(this.#askedAt, now) + askEveryInMs;
    if (next <= now) ask();
    else this.#endAsking = this.#clock.at(next, ask);
  }
}

/** Where a message is in its stream; `undefined`: it is of none. */
function offsetOf({ properties }: Message): number | undefined {
  const offset: unknown = properties.headers?.["x-stream-offset"];
  return typeof offset === "number" ? offset : undefined;
}
