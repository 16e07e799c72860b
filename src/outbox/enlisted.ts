/** What becomes true at the broker with a unit's commit. @module */
import type { Consumption } from "../pipeline/consumption.ts";
import type { OutgoingMessage } from "../pipeline/outgoing_message.ts";
import type { Frame } from "../spi/frame.ts";
import type { Address, Enlistment, Outgoing, Settlement } from "../spi/transport.ts";

/** A message as a transaction gets it: whoever sent it hears of it once that is committed. */
class EnlistedMessage implements Outgoing {
  readonly message: OutgoingMessage;
  error: Error | undefined;
  receipt: string | undefined;

  constructor(message: OutgoingMessage) {
    this.message = message;
  }

  get frame(): Frame {
    return this.message.frame;
  }
  get messageId(): string {
    return this.message.messageId;
  }
  get to(): Address {
    return this.message.to;
  }
  get alsoTo(): readonly Address[] {
    return this.message.alsoTo;
  }
  get key(): string | undefined {
    return this.message.key;
  }
  get priority(): number | undefined {
    return this.message.priority;
  }
  get dueAt(): number | undefined {
    return this.message.dueAt;
  }
  get expiresAt(): number | undefined {
    return this.message.expiresAt;
  }
  get mandatory(): boolean {
    return this.message.mandatory;
  }

  settled(error?: Error, receipt?: string): void {
    this.error = error;
    this.receipt = receipt;
  }
}

/** What a unit sends and settles in the transaction of its own commit, where the broker lives in the store's database. */
export class Enlisted {
  readonly #enlistment: Enlistment;
  readonly #settled: readonly Consumption[];
  readonly #messages: readonly EnlistedMessage[];
  readonly #own: ReadonlySet<OutgoingMessage>;

  /** @param settled messages whose outcomes are part of it */
  constructor(enlistment: Enlistment, messages: readonly OutgoingMessage[], settled: readonly Consumption[]) {
    this.#enlistment = enlistment;
    this.#messages = messages.map((message) => new EnlistedMessage(message));
    this.#own = new Set(messages);
    this.#settled = settled;
  }

  /** Whether a message is part of it. */
  has(message: OutgoingMessage): boolean {
    return this.#own.has(message);
  }

  /**
   * Puts it into the transaction.
   *
   * @throws what a message is refused with, by its contract's name: nobody has waited to hear of it before
   * @throws {ClaimLostError} if one of those to be settled is no longer this process' to settle
   */
  async write(): Promise<void> {
    if (this.#messages.length > 0) await this.#enlistment.send(this.#messages);
    for (const { message, error } of this.#messages) {
      if (error === undefined) continue;
      message.settled(error);
      await message.done;
    }
    if (this.#settled.length > 0) await this.#enlistment.settle(this.#settled.map(settlementOf));
  }

  /** It is true. */
  committed(sent: (message: OutgoingMessage) => void): void {
    for (const consumption of this.#settled) consumption.settled = true;
    for (const { message, receipt } of this.#messages) {
      message.settled(undefined, receipt);
      sent(message);
    }
  }
}

function settlementOf({ delivery, outcome }: Consumption): Settlement {
  return outcome === undefined ? { delivery, outcome: "accept" } : { delivery, ...outcome };
}
