/** What becomes true with the handler's transaction. @module */
import { ClaimLostError } from "../../src/errors/receiving.ts";
import { UnroutableError } from "../../src/errors/sending.ts";
import type { Enlistment, Outgoing, Settlement } from "../../src/spi/transport.ts";
import type { JoinableUnit } from "../../stores/postgres/joining.ts";
import { refused } from "../../stores/postgres/statement.ts";
import { Flight, refusalOf } from "./flight.ts";
import { News } from "./news.ts";
import type { PostgresReceiver } from "./receiver.ts";
import type { Services } from "./services.ts";
import { readSettled, settleStatements, type Settling } from "./settling.ts";

/**
 * Sends and settlements of one unit of work. They are kept until it commits, and written in that very flight: that they are
 * to be written opens no transaction. Who has lost a message commits nothing.
 */
export class PostgresEnlistment implements Enlistment {
  readonly #services: Services;
  readonly #unit: JoinableUnit;
  readonly #receiver: PostgresReceiver | undefined;
  /** What it has sent last. */
  #flight: Flight | undefined;

  constructor(services: Services, unit: JoinableUnit, receiver: PostgresReceiver | undefined) {
    this.#services = services;
    this.#unit = unit;
    this.#receiver = receiver;
  }

  async send(batch: readonly Outgoing[]): Promise<void> {
    const mandatory = [...new Set(batch.filter((outgoing) => outgoing.mandatory).map(({ to }) => to))];
    const { database, entities } = this.#services;
    const routed = mandatory.length === 0 ? new Set() : await entities.routed(database, mandatory);
    const refusals = batch.map((outgoing) =>
      refusalOf(outgoing) ??
        (outgoing.mandatory && !routed.has(outgoing.to)
          ? new UnroutableError(outgoing.messageId, outgoing.to)
          : undefined)
    );
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
    const flight = new Flight(this.#services, batch, true);
    this.#flight = flight;
    this.#unit.join({
      statements: () => flight.begin(),
      explain: (error) => flight.explain(error), // what it was bound to may have gone
      ended: (results) => results === undefined ? flight.undone() : void flight.committed(results),
    });
  }

  #joinSettlements(receiver: PostgresReceiver, wanted: readonly Settling[]): void {
    const services = this.#services;
    const made = settleStatements(services.messages, wanted, receiver.abandoned, true);
    const [one] = wanted;
    // As most units do: what is sent and what is accepted are one statement.
    const together = made.acceptsOne && one !== undefined && this.#flight?.accept(one.lease) === true;
    try {
      this.#unit.join({
        statements: () => {
          if (wanted.some(({ lease }) => !receiver.claims.holds(lease))) throw new ClaimLostError(receiver.queue.name);
          return together ? [] : made.statements;
        },
        explain: (error) => {
          if (refused(error, "claim") !== undefined) return new ClaimLostError(receiver.queue.name, { cause: error });
          const { settlement } = made.moved[refused(error, "route") ?? -1] ?? {};
          return settlement?.outcome === "move"
            ? new UnroutableError("a moved message", settlement.to, { cause: error })
            : error;
        },
        ended: (results) => {
          if (results === undefined) return receiver.claims.undo(wanted);
          const news = new News();
          readSettled(services, wanted, made, results, receiver.queue.id, news);
          receiver.claims.settled(wanted);
          services.announce(news);
          receiver.freed();
        },
      });
    } catch (error) {
      receiver.claims.undo(wanted);
      throw error;
    }
  }
}
