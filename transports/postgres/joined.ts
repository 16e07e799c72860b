/** What a unit of work sends and settles. @module */
import { ClaimLostError } from "../../src/errors/receiving.ts";
import { UnroutableError } from "../../src/errors/sending.ts";
import type { Outgoing } from "../../src/spi/transport.ts";
import type { Results } from "../../stores/postgres/database.ts";
import type { Alike, Joined } from "../../stores/postgres/joining.ts";
import { refused, type Statement } from "../../stores/postgres/statement.ts";
import { Flight, isUsual } from "./flight.ts";
import type { Lease } from "./lease.ts";
import type { Held } from "./message.ts";
import { News } from "./news.ts";
import type { PostgresReceiver } from "./receiver.ts";
import type { Services } from "./services.ts";
import { isPlain, readSettled, type SettleStatements, settleStatements, type Settling } from "./settling.ts";

/**
 * What a message that is sent or accepted counts for beside its body: as many as share a statement are compared each with
 * each, and have headers.
 */
const bytesEach = 2 ** 10;

/** What it sends. */
export class JoinedSends implements Joined {
  readonly batch: readonly Outgoing[];
  readonly alike: Alike | undefined;
  readonly bytes: number;
  readonly #services: Services;
  #accepted: Held | undefined;
  #flight: Flight | undefined;

  /** @param usual writes what asks for nothing unusual */
  constructor(services: Services, batch: readonly Outgoing[], usual: Alike) {
    this.#services = services;
    this.batch = batch;
    this.alike = batch.every(isUsual) ? usual : undefined;
    let bytes = batch.length * bytesEach;
    for (const { frame } of batch) bytes += frame.body.byteLength;
    this.bytes = bytes;
  }

  /** Where it goes alone, has its statement accept a message as well; false: it cannot. */
  accept(held: Held): boolean {
    if (this.batch.length > 1 || this.alike === undefined || this.#accepted !== undefined) return false;
    this.#accepted = held;
    return true;
  }

  statements(): readonly Statement[] {
    this.#flight = new Flight(this.#services, this.batch, true);
    if (this.#accepted !== undefined) this.#flight.accept(this.#accepted);
    return this.#flight.begin();
  }

  /** What it was bound to may have gone. */
  explain(error: unknown): unknown {
    return this.#flight === undefined ? error : this.#flight.explain(error);
  }

  ended(results: Results | undefined): void {
    if (results === undefined) this.#flight?.undone();
    else this.#flight?.committed(results);
  }
}

/** What becomes of what it was given. */
export class JoinedSettlements implements Joined {
  readonly alike: Alike | undefined;
  readonly bytes: number;
  readonly #services: Services;
  readonly #receiver: PostgresReceiver;
  readonly #wanted: readonly Settling[];
  readonly #abandoned: boolean;
  /** Something else accepts it. */
  readonly #together: boolean;
  #made: SettleStatements | undefined;

  /**
   * @param usual writes that messages are accepted
   * @param sends what the unit has sent last
   */
  constructor(
    services: Services,
    receiver: PostgresReceiver,
    wanted: readonly Settling[],
    usual: Alike,
    sends: JoinedSends | undefined,
  ) {
    this.#services = services;
    this.#receiver = receiver;
    this.#wanted = wanted;
    this.bytes = wanted.length * bytesEach;
    this.#abandoned = receiver.abandoned;
    const plain = wanted.every((each) => isPlain(each, this.#abandoned));
    // Of what comes again, who had it before may still have the inbox record: who shares its commit would wait as well.
    this.alike = plain && wanted.every(({ lease }) => lease.deliveries === 1) ? usual : undefined;
    const [one, ...others] = wanted;
    // As most units do that go alone: what is sent and what is accepted are one statement.
    this.#together = plain && one !== undefined && others.length === 0 && one.lease.delivery.key === undefined &&
      sends?.accept(one.lease) === true;
  }

  /** What it accepts, if it is usual. */
  get leases(): readonly Lease[] {
    return this.#wanted.map(({ lease }) => lease);
  }
  /** Whether all of it is still its receiver's. */
  get holds(): boolean {
    return this.#wanted.every(({ lease }) => this.#receiver.claims.holds(lease));
  }

  statements(): readonly Statement[] {
    if (!this.holds) throw new ClaimLostError(this.#receiver.queue.name);
    this.#made = settleStatements(this.#services.messages, this.#wanted, this.#abandoned, true);
    return this.#together ? [] : this.#made.statements;
  }

  explain(error: unknown): unknown {
    if (refused(error, "claim") !== undefined) return new ClaimLostError(this.#receiver.queue.name, { cause: error });
    const { settlement } = this.#made?.moved[refused(error, "route") ?? -1] ?? {};
    return settlement?.outcome === "move"
      ? new UnroutableError("a moved message", settlement.to, { cause: error })
      : error;
  }

  ended(results: Results | undefined): void {
    const { claims, queue } = this.#receiver;
    if (results === undefined) return claims.undo(this.#wanted);
    if (this.#made !== undefined) {
      const news = new News();
      readSettled(this.#services, this.#wanted, this.#made, results, queue.id, news);
      this.#services.announce(news);
    }
    claims.settled(this.#wanted);
    this.#receiver.freed();
  }
}
