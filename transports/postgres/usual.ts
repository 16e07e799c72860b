/** What several units send and accept at once. @module */
import { fromText, headersToText } from "../../src/envelope/stored_text.ts";
import type { Outgoing } from "../../src/spi/transport.ts";
import { digitsOf } from "../../stores/postgres/hexadecimal.ts";
import type { Alike, Joined, StatementPart, Together } from "../../stores/postgres/joining.ts";
import { allSeparated } from "../../stores/postgres/separated.ts";
import type { SqlRow, SqlValue } from "../../stores/postgres/sql_client.ts";
import { column } from "../../stores/postgres/statement.ts";
import { JoinedSends, JoinedSettlements } from "./joined.ts";
import type { Lease } from "./lease.ts";
import { rankOf } from "./message.ts";
import { heldLists } from "./messages.ts";
import { News } from "./news.ts";
import { Offers } from "./offers.ts";
import type { Services } from "./services.ts";
import { listOf } from "./statements.ts";

/** Writes what asks for nothing unusual: messages that are due at once and have no key, and that such are accepted. */
export class Usual implements Alike {
  readonly #services: Services;

  constructor(services: Services) {
    this.#services = services;
  }

  /** As {@linkcode Alike.together}. */
  together(all: readonly Joined[]): Together | undefined {
    const sent: Outgoing[] = [];
    const accepted: Lease[] = [];
    for (const each of all) {
      if (each instanceof JoinedSends) sent.push(...each.batch);
      else if (each instanceof JoinedSettlements && each.holds) accepted.push(...each.leases);
      else return undefined;
    }
    const special = isSpecial(sent);
    const lists = sent.length === 0 ? [] : listsOf(sent, special);
    const byId = new Map(sent.map((outgoing) => [column(outgoing.messageId), outgoing]));
    // By its id it is known which of them is handed over.
    if (lists === undefined || byId.size < sent.length) return undefined;
    return new UsualFlight(this.#services, byId, special, lists, accepted);
  }
}

class UsualFlight implements Together {
  readonly part: StatementPart;
  readonly values: readonly SqlValue[];
  readonly #services: Services;
  readonly #sent: ReadonlyMap<string, Outgoing>;
  readonly #offers: Offers;
  readonly #leasedUntil: number;

  constructor(
    services: Services,
    sent: ReadonlyMap<string, Outgoing>,
    special: boolean,
    lists: readonly string[],
    accepted: readonly Lease[],
  ) {
    const { messages, receivers, leaseMs, database } = services;
    this.#services = services;
    this.#sent = sent;
    const { rooms } = this.#offers = new Offers(receivers, sent.size);
    this.#leasedUntil = database.clock.now() + leaseMs;
    const [offers, accepts] = [rooms.size > 0, accepted.length > 0];
    this.part = messages.usual({ sends: sent.size > 0, special, offers, accepts });
    this.values = [
      ...accepts ? heldLists(accepted) : [],
      ...lists,
      ...offers ? [listOf([...rooms.keys()]), listOf([...rooms.values()]), String(leaseMs)] : [],
    ];
  }

  committed(rows: readonly SqlRow[]): void {
    const { database, announce } = this.#services;
    const news = new News();
    for (const [queue, place, id, via] of rows) {
      const outgoing = this.#sent.get(String(id));
      if (place === null) news.add(Number(queue), database.clock.now());
      else if (outgoing !== undefined) this.#offers.hand(Number(queue), Number(place), outgoing, fromText(String(via)));
    }
    this.#offers.committed(this.#leasedUntil);
    announce(news);
  }

  undone(): void {
    this.#offers.undone();
  }
}

/** As `UsualKind` has it. */
function isSpecial(sent: readonly Outgoing[]): boolean {
  const type = sent[0]?.frame.contentType;
  return sent.some(({ priority, expiresAt, mandatory, frame }) =>
    mandatory || priority !== undefined || expiresAt !== undefined || frame.contentType !== type
  );
}

/** What is sent, as `usualPart` takes it; `undefined`: it cannot travel so. */
function listsOf(sent: readonly Outgoing[], special: boolean): readonly string[] | undefined {
  const lists = [
    sent.map(({ to }) => column(to)),
    sent.map(({ messageId }) => column(messageId)),
    sent.map(({ frame }) => headersToText(frame.headers)),
    sent.map(({ frame }) => digitsOf(frame.body)),
  ];
  if (!special) {
    const texts = allSeparated(lists);
    return texts && [...texts, column(sent[0]?.frame.contentType ?? "")];
  }
  return allSeparated([
    ...lists,
    sent.map(({ frame }) => column(frame.contentType)),
    sent.map(({ priority }) => String(rankOf(priority))),
    sent.map(({ expiresAt }) => String(expiresAt ?? NaN)),
    sent.map(({ mandatory }) => mandatory ? "t" : "f"),
  ]);
}
