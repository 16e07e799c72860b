/** What becomes of deliveries, in a transaction. @module */
import { UnroutableError } from "../../src/errors/sending.ts";
import { headersToText } from "../../src/envelope/stored_text.ts";
import type { SettlingOf } from "../../src/leasing/leased_messages.ts";
import type { FrameHeaders } from "../../src/spi/frame.ts";
import type { Settlement } from "../../src/spi/transport.ts";
import type { Connection } from "../../stores/sqlite/connection.ts";
import type { Lease } from "./lease.ts";
import { News } from "./news.ts";
import type { Services } from "./services.ts";
import type { Queue } from "./topology.ts";

/** One settlement, and what it is about. */
export type Settling = SettlingOf<Lease>;

/**
 * Settles each whose lease has not ended; nothing is done to the others.
 *
 * @param receiver `abandoned`: its queue is gone, so nothing goes back there
 * @returns why copies failed: those are still unsettled
 */
export function settle(
  { session, messages, entities }: Services,
  receiver: { readonly abandoned: boolean; readonly queue: Queue },
  connection: Connection,
  batch: readonly Settling[],
): { readonly news: News; readonly failures: ReadonlyMap<Lease, Error> } {
  const news = new News();
  const failures = new Map<Lease, Error>();
  const now = session.clock.now();
  entities.refresh(connection);
  const many: Lease[] | undefined = batch.length > 1 && !isOrdered(entities.byId(connection, receiver.queue.id))
    ? []
    : undefined;
  for (const { settlement, lease } of batch) {
    const outcome = receiver.abandoned && settlement.outcome !== "move" ? "accept" : settlement.outcome;
    if (outcome === "accept") {
      if (many === undefined) messages.accept(connection, lease, news, now);
      else many.push(lease);
    } else if (outcome === "release") {
      const untouched = settlement.outcome === "release" && settlement.untouched === true;
      messages.release(connection, lease, !untouched, news, now);
    } else {
      const row = messages.held(connection, lease);
      if (row === undefined) continue;
      if (settlement.outcome === "again") {
        messages.again(connection, row, merged(settlement, settlement.headers), settlement.dueAt, news, now);
      } else if (settlement.outcome === "move") {
        const routes = entities.route(connection, settlement.to);
        if (routes.length === 0) {
          failures.set(lease, new UnroutableError("a moved message", settlement.to));
          continue;
        }
        // What is parked must not expire where it is parked: only its envelope still says when it would have.
        const copy = { ...row, headers: merged(settlement, settlement.headers), expires_at: null, mandatory: 0 };
        for (const { queue, via } of routes) messages.insert(connection, queue, via, copy, now, news);
        messages.remove(connection, row, news, now);
      }
    }
  }
  if (many !== undefined && many.length > 0) messages.acceptAll(connection, many);
  return { news, failures };
}

/** As it is now, whatever the receiver has found when it began. */
function isOrdered([queue]: readonly Queue[]): boolean {
  return queue?.ordered ?? false;
}

function merged({ delivery }: Settlement, headers: FrameHeaders): string {
  return headersToText({ ...delivery.frame.headers, ...headers });
}
