/** What becomes of deliveries. @module */
import { headersToText } from "../../src/envelope/stored_text.ts";
import { UnroutableError } from "../../src/errors/sending.ts";
import type { SettlingOf } from "../../src/leasing/leased_messages.ts";
import type { FrameHeaders } from "../../src/spi/frame.ts";
import type { Settlement } from "../../src/spi/transport.ts";
import { column, type Statement } from "../../stores/postgres/statement.ts";
import type { Lease } from "./lease.ts";
import { heldLists, type Messages } from "./messages.ts";
import type { News } from "./news.ts";
import type { Services } from "./services.ts";

/** One settlement, and what it is about. */
export interface Settling extends SettlingOf<Lease> {
  /** It was tried as one whose order does not count, and could not be found so. */
  readonly inOrder?: boolean;
}

/** Whether it takes no more than its row to be deleted. */
export function isPlain({ settlement: { outcome }, lease, inOrder }: Settling, abandoned: boolean): boolean {
  return !lease.keeps && inOrder !== true && (outcome === "accept" || abandoned && outcome !== "move");
}

/** Settlements as statements of one transaction. */
export interface SettleStatements {
  readonly statements: readonly Statement[];
  /** Whether all they do is to accept one message without a key. */
  readonly acceptsOne: boolean;
  /** Whether the last of them bring the next of keys to their turn: without a key, none has an order. */
  readonly keyed: boolean;
  /** Those that are moved, in the order of their numbers, and which statement moves them; -1: none. */
  readonly moved: readonly Settling[];
  readonly movedAt: number;
}

/** Whether a delivery that goes back was one. */
function isCounted(settlement: Settlement): boolean {
  return settlement.outcome !== "release" || settlement.untouched !== true;
}

/**
 * Makes statements of settlements.
 *
 * @param abandoned the receiver's queue is gone, so nothing goes back there
 * @param strict whether a lease that has ended, or a copy that has nowhere to go, makes all fail; else nothing is done to it
 */
export function settleStatements(
  messages: Messages,
  batch: readonly Settling[],
  abandoned: boolean,
  strict: boolean,
): SettleStatements {
  const { sql } = messages;
  const statements: Statement[] = [];
  const of = (...outcomes: readonly Settlement["outcome"][]): readonly Settling[] =>
    batch.filter(({ settlement: { outcome } }) => outcomes.includes(outcome));
  const accepted = abandoned ? of("accept", "release", "again") : of("accept");
  const released = abandoned ? [] : of("release");
  const again = abandoned ? [] : of("again");
  const moved = of("move");
  const held = (some: readonly Settling[]): readonly Lease[] => some.map(({ lease }) => lease);
  const keyed = batch.some(({ settlement: { delivery } }) => delivery.key !== undefined);
  const [first] = held(accepted);
  const one = strict && !keyed && accepted.length === 1;
  if (one && first !== undefined) {
    statements.push({ text: sql.acceptStrictOne, values: [String(first.place), String(first.deliveries)] });
  } else if (accepted.length > 0) {
    statements.push({ text: strict ? sql.acceptStrict : sql.accept, values: heldLists(held(accepted)) });
  }
  for (const counted of [true, false]) {
    const some = held(released.filter(({ settlement }) => isCounted(settlement) === counted));
    if (some.length === 0) continue;
    const { text, values } = messages.released(some, counted);
    statements.push({ text: strict ? sql.releasedStrict : text, values });
  }
  if (again.length > 0) {
    const list = again.map(({ settlement, lease: { place, deliveries } }) => ({
      place,
      deliveries,
      due: settlement.outcome === "again" ? settlement.dueAt : 0,
      headers: merged(settlement),
    }));
    statements.push({ text: strict ? sql.againStrict : sql.again, values: [JSON.stringify(list)] });
  }
  const movedAt = moved.length === 0 ? -1 : statements.length;
  if (moved.length > 0) {
    const list = moved.map(({ settlement, lease: { place, deliveries } }) => ({
      place,
      deliveries,
      address: column(settlement.outcome === "move" ? settlement.to : ""),
      headers: merged(settlement),
    }));
    statements.push({ text: strict ? sql.movedStrict : sql.moved, values: [JSON.stringify(list)] });
  }
  const acceptsOne = one && statements.length === 1;
  return { acceptsOne, statements: keyed ? [...statements, ...messages.inOrder] : statements, keyed, moved, movedAt };
}

/** What settling brings to queues, and why copies failed. */
export function readSettled(
  { database, messages }: Pick<Services, "database" | "messages">,
  batch: readonly Settling[],
  { keyed, moved, movedAt }: SettleStatements,
  results: readonly (readonly (readonly unknown[])[])[],
  queue: number,
  news: News,
): ReadonlyMap<Lease, Error> {
  const failures = new Map<Lease, Error>();
  if (keyed) messages.came(results.at(-1) ?? [], news, database);
  for (const [what, number] of movedAt < 0 ? [] : results[movedAt] ?? []) {
    if (what === "came") news.add(Number(number), database.clock.now());
    const failed = what === "lost" ? moved[Number(number) - 1] : undefined;
    if (failed?.settlement.outcome !== "move") continue;
    failures.set(failed.lease, new UnroutableError("a moved message", failed.settlement.to));
  }
  for (const { settlement } of batch) {
    if (settlement.outcome === "release") news.add(queue, database.clock.now());
    else if (settlement.outcome === "again") news.add(queue, settlement.dueAt);
  }
  return failures;
}

function merged(settlement: Settlement): string {
  const more: FrameHeaders = "headers" in settlement ? settlement.headers : {};
  return headersToText({ ...settlement.delivery.frame.headers, ...more });
}
