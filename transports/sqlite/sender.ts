/** What is sent. @module */
import { BackpressureError, MessageTooLargeError, UnroutableError } from "../../src/errors/sending.ts";
import type { Outgoing } from "../../src/spi/transport.ts";
import type { Connection } from "../../stores/sqlite/connection.ts";
import { type Contents, contentsOf, state } from "./message.ts";
import { News } from "./news.ts";
import { Offers, type Taking } from "./offers.ts";
import type { Services } from "./services.ts";

/** The largest body. */
export const maxFrameBytes: number = 2 ** 24;
/** The most that all headers of one message may take. */
export const maxHeaderBytes: number = 2 ** 20;

/** So many batches may be settled in one turn of the event loop. */
const maxBatches = 32;

/** What became of one message: a receipt, none, or why it was refused. */
export type Sent = string | undefined | Error;

/** Writes messages into the queues that their addresses lead to. May be done again. */
export function insertAll(
  { session, entities, messages }: Services,
  connection: Connection,
  batch: readonly Outgoing[],
  news: News,
  offers?: Offers,
): readonly Sent[] {
  const now = session.clock.now();
  entities.refresh(connection);
  return batch.map((outgoing): Sent => {
    const { to, alsoTo, dueAt = 0 } = outgoing;
    const refusal = refusalOf(outgoing);
    if (refusal !== undefined) return refusal;
    let routes = entities.route(connection, to);
    for (const more of alsoTo) {
      const known = new Set(routes.map(({ queue }) => queue.id));
      routes = [...routes, ...entities.route(connection, more).filter(({ queue }) => !known.has(queue.id))];
    }
    if (routes.length === 0 && outgoing.mandatory) return new UnroutableError(outgoing.messageId, to);
    const contents: Contents = contentsOf(outgoing, now);
    if (dueAt > now && to.startsWith("topic:")) {
      return String(messages.insertLater(connection, to, contents, dueAt, news));
    }
    let place: number | undefined;
    for (const { queue, via } of routes) {
      const receiver = dueAt > now ? undefined : offers?.receiver(connection, queue);
      const lease = receiver === undefined ? undefined : offers?.until;
      const row = messages.insert(connection, queue, via, contents, now, news, Math.max(dueAt, now), lease);
      place = row.place;
      if (row.state === state.leased && receiver !== undefined) offers?.hand(receiver, { place, outgoing, via });
    }
    return dueAt > now && place !== undefined ? String(place) : undefined;
  });
}

/** Why a message cannot be written, whatever the queue. */
export function refusalOf({ frame, messageId }: Outgoing): Error | undefined {
  const { byteLength } = frame.body;
  return byteLength > maxFrameBytes
    ? new MessageTooLargeError(messageId, "body", byteLength, maxFrameBytes)
    : undefined;
}

/** Sends in batches, each in one transaction that it may share with others. */
export class Sender {
  readonly #services: Services;
  readonly #maxUnsent: number;
  readonly #receivers: Iterable<Taking>;
  #unsent = 0;
  /** How many were settled since the event loop has turned. */
  #batches = 0;
  /** Those who wait for room. */
  readonly #waiting: (() => void)[] = [];
  readonly #writing = new Set<Promise<void>>();

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
    const room = 2 * this.#maxUnsent - this.#unsent;
    const taken = batch.slice(0, Math.max(room, 0));
    for (const outgoing of batch.slice(taken.length)) {
      outgoing.settled(new BackpressureError(outgoing.to, 2 * this.#maxUnsent));
    }
    if (taken.length > 0) this.#write(taken);
    if (this.#unsent > this.#maxUnsent) return new Promise((resolve) => void this.#waiting.push(resolve));
  }

  /** Resolves once all that was sent is settled. */
  async flush(): Promise<void> {
    await Promise.all(this.#writing);
  }

  #write(batch: readonly Outgoing[]): void {
    const { session, announce, turn, messages, leaseMs } = this.#services;
    this.#unsent += batch.length;
    let offers: Offers | undefined;
    const written = session.writer.write((connection) => {
      offers?.undone(); // it is done again
      offers = new Offers(messages, this.#receivers, Math.ceil(session.clock.now() + leaseMs));
      const news = new News();
      return { sent: insertAll(this.#services, connection, batch, news, offers), news, offers };
    }).then(({ sent, news, offers }) => {
      offers.committed();
      announce(news);
      if (++this.#batches < maxBatches) return this.#settled(batch, sent);
      return turn().then(() => {
        this.#batches = 0;
        this.#settled(batch, sent);
      });
    }, (error) => {
      offers?.undone();
      const failure = error instanceof Error ? error : new Error(String(error));
      this.#settled(batch, batch.map(() => failure));
    }).finally(() => this.#writing.delete(written));
    this.#writing.add(written);
  }

  #settled(batch: readonly Outgoing[], sent: readonly Sent[]): void {
    this.#unsent -= batch.length;
    batch.forEach((outgoing, at) => {
      const result = sent[at];
      if (result instanceof Error) outgoing.settled(result);
      else outgoing.settled(undefined, result);
    });
    if (this.#unsent <= this.#maxUnsent) { for (const resolve of this.#waiting.splice(0)) resolve(); }
  }
}
