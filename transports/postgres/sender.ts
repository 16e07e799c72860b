/** What is sent. @module */
import { fromText } from "../../src/envelope/stored_text.ts";
import { BackpressureError, MessageTooLargeError, UnroutableError } from "../../src/errors/sending.ts";
import { ConflictError, StoreUnavailableError } from "../../src/errors/store.ts";
import { ClosedError } from "../../src/errors/transport.ts";
import type { Outgoing } from "../../src/spi/transport.ts";
import { Bytes } from "../../stores/postgres/statement.ts";
import { sentOf } from "./message.ts";
import type { SendKind } from "./send_statements.ts";
import { News } from "./news.ts";
import { Offers, type Taking } from "./offers.ts";
import type { Services } from "./services.ts";
import { listOf } from "./statements.ts";
import { transportName } from "./topology.ts";

/** The largest body. */
export const maxFrameBytes: number = 2 ** 24;
/** The most that all headers of one message may take. */
export const maxHeaderBytes: number = 2 ** 20;
/** More are in no single flight: messages, and bytes of their bodies. */
const [maxFlight, maxFlightBytes] = [1_000, 2 ** 24];
/** What is tried again waits so long, in milliseconds. */
const retryMs = 250;

/** What is sent, as a statement takes it. */
export interface Packed {
  readonly kind: Pick<SendKind, "keyed">;
  readonly values: readonly [list: string, bodies: Uint8Array];
  /** The message of each row. */
  readonly rows: readonly Outgoing[];
}

/** Makes rows of messages: one for each address. */
export function pack(batch: readonly Outgoing[]): Packed {
  const bodies = new Bytes();
  const list: Readonly<Record<string, unknown>>[] = [];
  const rows: Outgoing[] = [];
  let keyed = false;
  for (const outgoing of batch) {
    const where = bodies.add(outgoing.frame.body);
    keyed ||= outgoing.key !== undefined;
    [outgoing.to, ...outgoing.alsoTo].forEach((to, at, all) => {
      const more = at === 0 ? {} : { mandatory: false, past: all.slice(0, at) };
      list.push({ ...sentOf({ ...outgoing, to }, where), ...more });
      rows.push(outgoing);
    });
  }
  return { kind: { keyed }, values: [JSON.stringify(list), bodies.all], rows };
}

/** Why a message cannot be written, whatever the queue. */
export function refusalOf({ frame: { body }, messageId }: Outgoing): Error | undefined {
  if (!(body instanceof Uint8Array)) return new TypeError(`The body of "${messageId}" is no Uint8Array`);
  return body.byteLength > maxFrameBytes
    ? new MessageTooLargeError(messageId, "body", body.byteLength, maxFrameBytes)
    : undefined;
}

/** Sends in flights, one after the other, so that the order stays: what comes meanwhile is the next. */
export class Sender {
  readonly #services: Services;
  readonly #maxUnsent: number;
  readonly #receivers: Iterable<Taking>;
  #queue: Outgoing[] = [];
  #unsent = 0;
  /** Those who wait for room. */
  readonly #waiting: (() => void)[] = [];
  #flying: Promise<void> | undefined;
  #closed = false;

  /**
   * @param maxUnsent above it senders wait; from twice that on they are refused
   * @param receivers to whom messages may be handed at once
   */
  constructor(services: Services, maxUnsent: number, receivers: Iterable<Taking>) {
    this.#services = services;
    this.#receivers = receivers;
    this.#maxUnsent = maxUnsent;
  }

  /** As `Transport.send`. */
  send(batch: readonly Outgoing[]): void | Promise<void> {
    for (const outgoing of batch) {
      const refusal = refusalOf(outgoing) ??
        (this.#unsent >= 2 * this.#maxUnsent ? new BackpressureError(outgoing.to, 2 * this.#maxUnsent) : undefined);
      if (refusal === undefined) {
        this.#queue.push(outgoing);
        this.#unsent++;
      } else outgoing.settled(refusal);
    }
    if (this.#queue.length > 0) this.#flying ??= this.#fly();
    if (this.#unsent > this.#maxUnsent) return new Promise((resolve) => void this.#waiting.push(resolve));
  }

  /** Resolves once all that was sent is settled. */
  async flush(): Promise<void> {
    await this.#flying;
  }

  /** What is not sent is not sent any more. */
  close(): void {
    this.#closed = true;
    const left = this.#queue;
    this.#queue = [];
    this.#settled(left.map((outgoing) => [outgoing, new ClosedError(`the transport "${transportName}"`), undefined]));
  }

  async #fly(): Promise<void> {
    while (this.#queue.length > 0) {
      let [count, bytes] = [0, 0];
      while (count < this.#queue.length && count < maxFlight && bytes < maxFlightBytes) {
        bytes += this.#queue[count++]?.frame.body.byteLength ?? 0;
      }
      const batch = this.#queue.splice(0, count);
      const packed = pack(batch);
      for (;;) {
        const error = await this.#write(batch, packed);
        if (error === undefined) break;
        // Nothing was written, and it may be soon.
        const again = error instanceof StoreUnavailableError || error instanceof ConflictError;
        if (!again || this.#closed) {
          this.#settled(batch.map((outgoing) => [outgoing, this.#closed ? closed(error) : error, undefined]));
          break;
        }
        this.#services.failed(error);
        await this.#services.pause(retryMs);
      }
    }
    this.#flying = undefined; // in the very turn in which nothing was left
  }

  async #write(batch: readonly Outgoing[], { kind, values, rows }: Packed): Promise<Error | undefined> {
    const { database, messages, leaseMs, announce } = this.#services;
    const offers = new Offers(this.#receivers, batch.length);
    const { rooms } = offers;
    const until = database.clock.now() + leaseMs;
    const given = rooms.size === 0 ? values : [
      ...values,
      listOf([...rooms.keys()]),
      listOf([...rooms.values()]),
      String(leaseMs),
    ];
    const insert = messages.send({ ...kind, offers: rooms.size > 0, strict: false }, given);
    const statements = kind.keyed ? [insert, ...messages.inOrder] : [insert];
    try {
      const [found = [], , promoted = []] = await database.write(statements, database.end);
      const news = new News();
      messages.came(promoted, news, database);
      const results = new Map<Outgoing, string | Error>();
      for (const [what, n, place, queue, via] of found) {
        const outgoing = rows[Number(n) - 1];
        if (what === "waits") news.add(Number(queue), database.clock.now());
        if (outgoing === undefined) continue;
        if (what === "handed") offers.hand(Number(queue), Number(place), outgoing, fromText(String(via)));
        else if (what === "lost") results.set(outgoing, new UnroutableError(outgoing.messageId, outgoing.to));
        else if (what === "later") {
          results.set(outgoing, String(place));
          news.add(Number(queue), outgoing.dueAt ?? 0);
        }
      }
      this.#services.worked();
      offers.committed(until);
      announce(news);
      this.#settled(batch.map((outgoing) => {
        const result = results.get(outgoing);
        return result instanceof Error ? [outgoing, result, undefined] : [outgoing, undefined, result];
      }));
      return undefined;
    } catch (error) {
      offers.undone();
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  #settled(all: readonly (readonly [Outgoing, Error | undefined, string | undefined])[]): void {
    this.#unsent -= all.length;
    for (const [outgoing, error, receipt] of all) {
      if (error === undefined) outgoing.settled(undefined, receipt);
      else outgoing.settled(error);
    }
    if (this.#unsent <= this.#maxUnsent) { for (const resolve of this.#waiting.splice(0)) resolve(); }
  }
}

function closed(cause: Error): ClosedError {
  return new ClosedError(`the transport "${transportName}"`, { cause });
}
