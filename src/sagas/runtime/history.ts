/** What has happened to an instance, as rows of a store and back. @module */
import type { Serializer } from "../../spi/serializer.ts";
import type { SagaHistoryRow } from "../../spi/rows.ts";
import type { Occurrence, SagaInstance } from "../instance.ts";
import type { SagaHistoryEntry } from "../instances.ts";
import { nameOf } from "./observing.ts";

/** What a row holds beside what it is about. What is not known is left out. */
interface Document {
  /** Of `set`: no machine has seen it. */
  readonly occurrence: Occurrence | { readonly kind: "set" };
  readonly messageId?: string;
  readonly conversationId?: string;
  readonly by?: string;
  readonly transitions: SagaHistoryEntry["transitions"];
  readonly state: string;
  readonly reason?: string;
  /** That the machine was given, in order: with them a replay is what was recorded. */
  readonly ids?: readonly string[];
}

/** What has happened with one message, or by hand. */
export interface Happened extends Omit<Document, "state"> {
  /** Epoch milliseconds. */
  readonly at: number;
}

/** The row of what has happened to an instance. */
export function toHistoryRow(
  saga: string,
  instance: SagaInstance,
  version: number,
  { at, ...happened }: Happened,
  serializer: Serializer,
): SagaHistoryRow {
  const { id, incarnation, state } = instance;
  const document: Document = { ...happened, state };
  const { body, types } = serializer.serialize(document);
  return { saga, id, incarnation, version, at, data: body, types };
}

/** The same, as an application sees it. */
export function fromHistoryRow(row: SagaHistoryRow, serializer: Serializer): SagaHistoryEntry {
  // What this library wrote: nobody else writes these rows.
  const document = serializer.deserialize(row.data, row.types) as Document;
  const { occurrence, messageId, conversationId, by, transitions, state, reason } = document;
  return {
    at: new Date(row.at),
    incarnation: row.incarnation,
    version: row.version,
    kind: occurrence.kind === "missing" ? "event" : occurrence.kind,
    name: occurrence.kind === "set" ? undefined : nameOf(occurrence),
    message: "message" in occurrence ? occurrence.message : undefined,
    messageId,
    conversationId,
    by,
    transitions,
    state,
    reason,
  };
}
