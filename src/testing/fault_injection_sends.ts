/** Sends that go wrong. @module */
import { DisconnectedError } from "../errors/transport.ts";
import type { Clock } from "../spi/clock.ts";
import type { Outgoing, Transport } from "../spi/transport.ts";
import type { Life } from "./life.ts";

/** The longest that anything is late, in milliseconds. */
export const longestDelayInMs = 1000;

const ignore = (): void => {};

/** The sends of one transport: in order, but late, twice, or failed with their fate unknown. */
export class FaultySends {
  readonly #transport: Transport;
  readonly #life: Life;
  readonly #clock: Clock;
  /** What waits behind something that is late. */
  #late: Outgoing[] = [];
  #flushed: PromiseWithResolvers<void> | undefined;

  /** @param clock the world's: what is on the way arrives though its sender has died */
  constructor(transport: Transport, life: Life, clock: Clock) {
    this.#transport = transport;
    this.#life = life;
    this.#clock = clock;
    life.onDeath(() => this.#died());
  }

  /** As `Transport.send`. */
  send(batch: readonly Outgoing[]): void | Promise<void> {
    if (!this.#life.dead && this.#flushed === undefined && this.#life.dice.happens("delay")) {
      this.#flushed = Promise.withResolvers();
      this.#clock.at(this.#clock.now() + this.#life.dice.between(1, longestDelayInMs), () => this.#flush());
    }
    if (this.#flushed === undefined) return this.#pass(batch);
    this.#late.push(...batch);
    return this.#flushed.promise;
  }

  #flush(): void {
    const [batch, flushed] = [this.#late, this.#flushed];
    this.#late = [];
    this.#flushed = undefined;
    Promise.resolve(this.#pass(batch)).then(flushed?.resolve);
  }

  #died(): void {
    const late = this.#late;
    this.#late = [];
    for (const outgoing of late) outgoing.settled(this.#life.error);
  }

  #pass(batch: readonly Outgoing[]): void | Promise<void> {
    let wait: void | Promise<void> = undefined;
    for (const outgoing of batch) wait = this.#one(outgoing) ?? wait;
    return wait;
  }

  #one(outgoing: Outgoing): void | Promise<void> {
    const life = this.#life;
    try {
      life.crossConnected("send");
    } catch {
      return outgoing.settled(life.error);
    }
    if (life.dice.happens("fail")) {
      const taken = life.dice.coin();
      life.note("failed", taken ? "send, and the broker has it" : "send", outgoing.messageId);
      if (taken) this.#give(outgoing, ignore);
      return outgoing.settled(new DisconnectedError(this.#transport.name, "send"));
    }
    const wait = this.#give(outgoing, (error, receipt) => this.#confirm(outgoing, error, receipt));
    if (life.dice.happens("duplicate")) {
      life.note("duplicated", outgoing.to, outgoing.messageId);
      this.#soon(() => this.#give(outgoing, ignore));
    }
    return wait;
  }

  /** The broker gets an object of its own: it keeps what it is given. */
  #give(outgoing: Outgoing, settled: Outgoing["settled"]): void | Promise<void> {
    const { frame, messageId, to, alsoTo, key, priority, dueAt, expiresAt, mandatory } = outgoing;
    const given = { frame, messageId, to, alsoTo, key, priority, dueAt, expiresAt, mandatory, settled };
    return this.#transport.send([given]);
  }

  #confirm(outgoing: Outgoing, error: Error | undefined, receipt: string | undefined): void {
    this.#soon(() => {
      if (this.#life.survives("confirm")) outgoing.settled(error, receipt);
      else outgoing.settled(this.#life.error);
    });
  }

  /** Now or a little later. */
  #soon(run: () => void): void {
    if (!this.#life.dice.happens("delay")) return run();
    this.#clock.at(this.#clock.now() + this.#life.dice.between(1, longestDelayInMs), run);
  }
}
