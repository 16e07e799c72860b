/** What becomes true with the handler's transaction. @module */
import { ClaimLostError } from "../../src/errors/receiving.ts";
import { UnroutableError } from "../../src/errors/sending.ts";
import type { Enlistment, Outgoing, Settlement } from "../../src/spi/transport.ts";
import type { Alike, JoinableUnit } from "../../stores/postgres/joining.ts";
import { refusalOf } from "./flight.ts";
import { JoinedSends, JoinedSettlements } from "./joined.ts";
import type { PostgresReceiver } from "./receiver.ts";
import type { Services } from "./services.ts";
import type { Settling } from "./settling.ts";

/**
 * Sends and settlements of one unit of work. They are kept until it commits, and written in that very flight: that they are
 * to be written opens no transaction. Who has lost a message commits nothing.
 */
export class PostgresEnlistment implements Enlistment {
  readonly #services: Services;
  readonly #unit: JoinableUnit;
  readonly #receiver: PostgresReceiver | undefined;
  readonly #usual: Alike;
  /** What it has sent last. */
  #sends: JoinedSends | undefined;

  /** @param usual writes what asks for nothing unusual, of several units at once */
  constructor(services: Services, unit: JoinableUnit, receiver: PostgresReceiver | undefined, usual: Alike) {
    this.#services = services;
    this.#usual = usual;
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
    this.#sends = new JoinedSends(this.#services, batch, this.#usual);
    this.#unit.join(this.#sends);
  }

  #joinSettlements(receiver: PostgresReceiver, wanted: readonly Settling[]): void {
    try {
      this.#unit.join(new JoinedSettlements(this.#services, receiver, wanted, this.#usual, this.#sends));
    } catch (error) {
      receiver.claims.undo(wanted);
      throw error;
    }
  }
}
