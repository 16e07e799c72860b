/** What becomes true with the handler's transaction. @module */
import { ClaimLostError } from "../../src/errors/receiving.ts";
import { UnroutableError } from "../../src/errors/sending.ts";
import type { Enlistment, Outgoing, Settlement } from "../../src/spi/transport.ts";
import type { Connection } from "../../stores/sqlite/connection.ts";
import type { JoinableUnit } from "../../stores/sqlite/transaction.ts";
import type { Lease } from "./lease.ts";
import { News } from "./news.ts";
import type { SqliteReceiver } from "./receiver.ts";
import { insertAll, refusalOf } from "./sender.ts";
import type { Services } from "./services.ts";
import { settle, type Settling } from "./settling.ts";

/**
 * Sends and settlements of one unit of work. They are kept until it commits, and written by that very commit, which it
 * may share with others: that they are to be written opens no transaction. Who has lost a message commits nothing.
 */
export class SqliteEnlistment implements Enlistment {
  readonly #services: Services;
  readonly #unit: JoinableUnit;
  readonly #receiver: SqliteReceiver | undefined;

  constructor(services: Services, unit: JoinableUnit, receiver: SqliteReceiver | undefined) {
    this.#services = services;
    this.#unit = unit;
    this.#receiver = receiver;
  }

  async send(batch: readonly Outgoing[]): Promise<void> {
    const { session, entities } = this.#services;
    const refusals = await session.read((reader) => {
      entities.refresh(reader);
      return batch.map((outgoing) => refusalOf(outgoing) ?? this.#unroutable(reader, outgoing));
    });
    const taken = batch.filter((_, at) => refusals[at] === undefined);
    if (taken.length > 0) this.#joinSends(taken);
    batch.forEach((outgoing, at) => outgoing.settled(refusals[at]));
  }

  // deno-lint-ignore require-await -- a rejection, not a throw
  async settle(batch: readonly Settlement[]): Promise<void> {
    const receiver = this.#receiver;
    if (receiver === undefined) return;
    const wanted = receiver.claims.begin(batch);
    if (wanted.length < batch.length) {
      receiver.claims.undo(wanted);
      throw new ClaimLostError(receiver.queue.name);
    }
    if (wanted.length > 0) this.#joinSettlements(receiver, wanted);
  }

  #joinSends(batch: readonly Outgoing[]): void {
    const { entities, announce } = this.#services;
    let news = new News();
    this.#unit.join({
      check: (connection) => {
        entities.refresh(connection);
        for (const outgoing of batch) {
          const refusal = this.#unroutable(connection, outgoing); // what it was bound to may have gone
          if (refusal !== undefined) throw refusal;
        }
      },
      write: (connection) => {
        news = new News();
        insertAll(this.#services, connection, batch, news);
      },
      ended: (committed) => committed && announce(news),
    });
  }

  #joinSettlements(receiver: SqliteReceiver, wanted: readonly Settling[]): void {
    const { messages, entities, announce } = this.#services;
    let news = new News();
    let gone: readonly Lease[] = [];
    try {
      this.#unit.join({
        check: (connection) => {
          entities.refresh(connection);
          gone = wanted.filter(({ lease }) =>
            !receiver.claims.holds(lease) || messages.held(connection, lease) === undefined
          )
            .map(({ lease }) => lease);
          if (gone.length > 0) throw new ClaimLostError(receiver.queue.name);
          for (const { settlement } of wanted) {
            if (settlement.outcome === "move" && entities.route(connection, settlement.to).length === 0) {
              throw new UnroutableError("a moved message", settlement.to);
            }
          }
        },
        write: (connection) => {
          news = settle(this.#services, receiver, connection, wanted).news;
        },
        ended: (committed) => {
          if (committed) receiver.claims.settled(wanted);
          else receiver.claims.undo(wanted);
          if (committed) announce(news);
          else receiver.claims.lose(gone);
        },
      });
    } catch (error) {
      receiver.claims.undo(wanted);
      throw error;
    }
  }

  #unroutable(connection: Connection, { messageId, to, mandatory }: Outgoing): Error | undefined {
    return mandatory && this.#services.entities.route(connection, to).length === 0
      ? new UnroutableError(messageId, to)
      : undefined;
  }
}
