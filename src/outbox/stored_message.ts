/** Messages as rows of a store, and back. @module */
import { define, type Definition } from "../contracts/definition.ts";
import { faultDefinition } from "../contracts/fault.ts";
import type { Registry } from "../contracts/registry.ts";
import { headerText, names } from "../envelope/headers.ts";
import { parseMessageType } from "../envelope/message_type.ts";
import { SentEnvelope } from "../envelope/sent_envelope.ts";
import { fromHeaders } from "../envelope/wire.ts";
import type { SendKind } from "../pipeline/context.ts";
import { OutgoingMessage } from "../pipeline/outgoing_message.ts";
import { type Frame, withHeaders } from "../spi/frame.ts";
import type { OutboxRow } from "../spi/rows.ts";
import type { Address } from "../spi/transport.ts";

/** How a row is to be sent, beyond what a row says. In a header of its frame that no transport gets to see. */
export interface SendNotes {
  readonly kind: SendKind;
  readonly priority?: number | undefined;
  /** Epoch milliseconds: for the transport, which keeps it until then. */
  readonly dueAt?: number | undefined;
  /** Epoch milliseconds: later than that it is not sent. */
  readonly latestAt?: number | undefined;
  /** The topics of its bases. */
  readonly alsoTo?: readonly Address[] | undefined;
  /** Of what was sent before: observers are not told. */
  readonly copy?: boolean | undefined;
}

/** What distinguishes the row from its message. */
export interface RowOptions {
  /** The unit that writes it. */
  readonly group: string;
  /** Epoch milliseconds: until then the store keeps it. 0: not at all. */
  readonly dueAt: number;
  /** Epoch milliseconds: until then the transport keeps it. */
  readonly dueAtBroker?: number | undefined;
  /** Epoch milliseconds: later than that it is not sent. Left out: however late. */
  readonly latestAt?: number | undefined;
}

const kindTexts: Readonly<Record<SendKind, string>> = {
  send: '{"kind":"send"}',
  publish: '{"kind":"publish"}',
  request: '{"kind":"request"}',
  respond: '{"kind":"respond"}',
  fault: '{"kind":"fault"}',
};

/** No literal, as V8 makes those in its old generation once a burst of them has outlived a small collection. */
class MessageRow implements OutboxRow {
  readonly id: string;
  readonly group: string;
  readonly key: string | undefined;
  readonly to: Address;
  readonly frame: Frame;
  readonly dueAt: number;
  readonly expiresAt: number | undefined;
  readonly fresh: boolean;

  constructor(
    { messageId, envelope, key, to, expiresAt }: OutgoingMessage,
    frame: Frame,
    group: string,
    dueAt: number,
  ) {
    this.id = messageId;
    this.group = group;
    this.key = key;
    this.to = to;
    this.frame = frame;
    this.dueAt = dueAt;
    this.expiresAt = expiresAt;
    this.fresh = envelope instanceof SentEnvelope && envelope.uuid !== undefined;
  }
}

/** The row of a message that is to be sent once it has been committed. */
export function rowOf(message: OutgoingMessage, { group, dueAt, dueAtBroker, latestAt }: RowOptions): OutboxRow {
  const { kind, priority, alsoTo, frame } = message;
  const notes = {
    kind,
    priority,
    dueAt: dueAtBroker,
    latestAt,
    alsoTo: alsoTo.length === 0 ? undefined : alsoTo,
  };
  return new MessageRow(message, withNotes(frame, notes), group, dueAt);
}

/** A frame as a row has it. */
export function withNotes(frame: Frame, notes: SendNotes): Frame {
  return withHeaders(frame, { ...frame.headers, [names.outbox]: notesText(notes) });
}

/** Most say no more than their kind. */
function notesText(notes: SendNotes): string {
  const { kind, priority, dueAt, latestAt, alsoTo, copy } = notes;
  const plain = priority === undefined && dueAt === undefined && latestAt === undefined && alsoTo === undefined &&
    copy === undefined;
  return plain ? kindTexts[kind] : JSON.stringify(notes);
}

/**
 * The message of a row, by whatever process wrote it.
 *
 * @throws {UnreadableMessageError} if its envelope is not what it must be
 */
export function messageOf(row: OutboxRow, registry: Registry): OutgoingMessage {
  const { [names.outbox]: noted, ...headers } = row.frame.headers;
  const notes = readNotes(headerText(noted), row.to);
  const frame = withHeaders(row.frame, headers);
  const read = fromHeaders(frame, () => row.id);
  const envelope = { ...read, sentAt: read.sentAt, destinationAddress: row.to, expiresAt: row.expiresAt };
  const definition = definitionOf(envelope.type, registry);
  const { copy = false, alsoTo = [] } = notes;
  return new OutgoingMessage(frame, { envelope, message: undefined }, notes.kind, { definition, alsoTo, copy }, {
    to: row.to,
    messageId: row.id,
    key: row.key,
    priority: notes.priority,
    dueAt: notes.dueAt,
  });
}

/** When a row may be sent at the latest, in epoch milliseconds; `undefined`: at any time. */
export function latestTimeOf({ frame, to }: OutboxRow): number | undefined {
  const noted = headerText(frame.headers[names.outbox]);
  // Few say so: the others are not read for it.
  return noted?.includes('"latestAt"') ? readNotes(noted, to).latestAt : undefined;
}

function readNotes(text: string | undefined, to: Address): SendNotes {
  // A row that others wrote: to a queue it is a command.
  if (text === undefined) return { kind: to.startsWith("queue:") ? "send" : "publish" };
  return JSON.parse(text) as SendNotes; // as `withNotes` wrote it
}

/** The contract by which observers and errors name it. The process that sends a row need not know what wrote it. */
function definitionOf(type: string, registry: Registry): Definition {
  const [own] = parseMessageType(type);
  const name = own?.name ?? "";
  const bare = name.replace(/^(fault|reply):/, "");
  const known = registry.find(bare, own?.version ?? 1);
  // What belongs to no contract that is known here is called what it says of itself.
  if (known === undefined) return define({ kind: "event", name: name === "" ? "unknown" : name, local: true }, {});
  return name.startsWith("fault:") ? faultDefinition(known) : known;
}
