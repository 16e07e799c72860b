/** Messages on their way into the database. @module */
import { fromText } from "../../src/envelope/stored_text.ts";
import { MessageTooLargeError, UnroutableError } from "../../src/errors/sending.ts";
import type { Outgoing } from "../../src/spi/transport.ts";
import type { Results } from "../../stores/postgres/database.ts";
import { Bytes, refused, type Statement } from "../../stores/postgres/statement.ts";
import { type Held, oneOf, sentOf } from "./message.ts";
import { News } from "./news.ts";
import { Offers } from "./offers.ts";
import type { Services } from "./services.ts";
import { listOf } from "./statements.ts";

/** The largest body. */
export const maxFrameBytes: number = 2 ** 24;
/** The most that all headers of one message may take. */
export const maxHeaderBytes: number = 2 ** 20;

/** Why a message cannot be written, whatever the queue. */
export function refusalOf({ frame: { body }, messageId }: Outgoing): Error | undefined {
  if (!(body instanceof Uint8Array)) return new TypeError(`The body of "${messageId}" is no Uint8Array`);
  return body.byteLength > maxFrameBytes
    ? new MessageTooLargeError(messageId, "body", body.byteLength, maxFrameBytes)
    : undefined;
}

/** Messages that are written together. */
export class Flight {
  readonly #services: Services;
  readonly #strict: boolean;
  readonly #keyed: boolean;
  readonly #values: Statement["values"];
  /** Whether there is one that asks for nothing unusual. */
  readonly #isOne: boolean;
  #accepted: Held | undefined;
  /** The message of each row: there is one for each address. */
  readonly #rows: readonly Outgoing[];
  readonly #count: number;
  #offers: Offers | undefined;
  #leasedUntil = 0;

  /** @param strict whether a message that is mandatory and reaches no queue makes all fail, instead of being told of */
  constructor(services: Services, batch: readonly Outgoing[], strict: boolean) {
    this.#services = services;
    this.#strict = strict;
    const [only, ...others] = batch;
    if (only !== undefined && others.length === 0 && isUsual(only)) {
      [this.#isOne, this.#keyed, this.#count] = [true, false, 1];
      [this.#rows, this.#values] = [batch, oneOf(only)];
      return;
    }
    this.#isOne = false;
    const bodies = new Bytes();
    const list: Readonly<Record<string, unknown>>[] = [];
    const rows: Outgoing[] = [];
    for (const outgoing of batch) {
      const where = bodies.add(outgoing.frame.body);
      list.push(sentOf(outgoing, outgoing.to, where));
      rows.push(outgoing);
      outgoing.alsoTo.forEach((to, at) => {
        const v = [outgoing.to, ...outgoing.alsoTo.slice(0, at)];
        list.push({ ...sentOf(outgoing, to, where), m: undefined, v });
        rows.push(outgoing);
      });
    }
    this.#values = [JSON.stringify(list), bodies.all];
    this.#rows = rows;
    this.#count = batch.length;
    this.#keyed = batch.some(({ key }) => key !== undefined);
  }

  /** Has its statement accept a message as well, and fail if the lease of that has ended; false: it cannot. */
  accept(held: Held): boolean {
    if (!this.#isOne || this.#accepted !== undefined) return false;
    this.#accepted = held;
    return true;
  }

  /** Keeps room of receivers that wait, and gives what writes the messages: for them, or for whoever comes. */
  begin(): readonly Statement[] {
    const { database, messages, leaseMs, receivers } = this.#services;
    this.#offers?.undone();
    const { rooms } = this.#offers = new Offers(receivers, this.#count);
    this.#leasedUntil = database.clock.now() + leaseMs;
    const [offers, strict, held] = [rooms.size > 0, this.#strict, this.#accepted];
    if (this.#isOne) {
      const values = [
        ...this.#values,
        ...offers ? [listOf([...rooms.keys()]), String(leaseMs)] : [],
        ...held === undefined ? [] : [String(held.place), String(held.deliveries)],
      ];
      return [messages.sendOne({ offers, strict, accepts: held !== undefined }, values)];
    }
    const [queues, counts] = [listOf([...rooms.keys()]), listOf([...rooms.values()])];
    const insert = messages.send(
      { keyed: this.#keyed, strict, offers },
      !offers ? this.#values : [...this.#values, queues, counts, String(leaseMs)],
    );
    return this.#keyed ? [insert, ...messages.inOrder] : [insert];
  }

  /** All is written, and whoever waits gets it. Gives receipts, and why messages were refused. */
  committed(results: Results): ReadonlyMap<Outgoing, string | Error> {
    const { database, messages, announce } = this.#services;
    const [found = [], , promoted = []] = results;
    const news = new News();
    const told = new Map<Outgoing, string | Error>();
    messages.came(promoted, news, database);
    for (const [what, n, place, queue, via] of found) {
      const outgoing = this.#rows[Number(n) - 1];
      if (what === "waits") news.add(Number(queue), database.clock.now());
      if (outgoing === undefined) continue;
      if (what === "handed") this.#offers?.hand(Number(queue), Number(place), outgoing, fromText(String(via)));
      else if (what === "lost") told.set(outgoing, new UnroutableError(outgoing.messageId, outgoing.to));
      else if (what === "later") {
        told.set(outgoing, String(place));
        news.add(Number(queue), outgoing.dueAt ?? 0);
      }
    }
    this.#offers?.committed(this.#leasedUntil);
    announce(news);
    return told;
  }

  /** Nothing is written. */
  undone(): void {
    this.#offers?.undone();
  }

  /** What an error means, if it is about one of these that reached no queue; else the error. */
  explain(error: unknown): unknown {
    const lost = this.#rows[refused(error, "route") ?? -1];
    return lost === undefined ? error : new UnroutableError(lost.messageId, lost.to, { cause: error });
  }
}

/** Whether it goes to one address, now, and in no order. */
export function isUsual({ alsoTo, key, dueAt }: Outgoing): boolean {
  return alsoTo.length === 0 && key === undefined && dueAt === undefined;
}
