/** The `hero-meta` header: what an envelope says beside its id, type, headers and trace, as compact JSON. @module */
import { UnreadableMessageError } from "../errors/receiving.ts";
import type { HostInfo } from "../runtime/host.ts";
import type { Envelope } from "./envelope.ts";
import { names } from "./headers.ts";

/** The keys of `hero-meta`. */
export interface Meta {
  correlation?: string;
  conversation?: string;
  initiator?: string;
  request?: string;
  source?: string;
  destination?: string;
  response?: string;
  fault?: string;
  sent?: number;
  expires?: number;
  host?: HostInfo | undefined;
}

/** Text that JSON writes as it is: ids and addresses mostly are. */
const plain = /^[ !#-[\]-~]*$/;
const quote = (text: string): string => plain.test(text) ? `"${text}"` : JSON.stringify(text);

/** Hosts as JSON: a process has one for each of its buses. */
const written = new WeakMap<HostInfo, string>();

/** Written key by key, as `JSON.stringify` would: it is made for every message, and that took a third of the header. */
export function writeMeta(envelope: Envelope): string {
  const { messageId, correlationId, conversationId, initiatorId, requestId, sourceAddress } = envelope;
  const { destinationAddress, responseAddress, faultAddress, sentAt, expiresAt, host } = envelope;
  let text = "";
  if (correlationId !== undefined) text += `,"correlation":${quote(correlationId)}`;
  // Of a first message it is the message's id: brokers pay for each byte, and most messages are first ones.
  if (conversationId !== undefined && conversationId !== messageId) text += `,"conversation":${quote(conversationId)}`;
  if (initiatorId !== undefined) text += `,"initiator":${quote(initiatorId)}`;
  if (requestId !== undefined) text += `,"request":${quote(requestId)}`;
  if (sourceAddress !== undefined) text += `,"source":${quote(sourceAddress)}`;
  if (destinationAddress !== undefined) text += `,"destination":${quote(destinationAddress)}`;
  if (responseAddress !== undefined) text += `,"response":${quote(responseAddress)}`;
  if (faultAddress !== undefined) text += `,"fault":${quote(faultAddress)}`;
  if (sentAt !== undefined) text += `,"sent":${sentAt}`;
  if (expiresAt !== undefined) text += `,"expires":${expiresAt}`;
  if (host !== undefined) text += `,"host":${writeHost(host)}`;
  return flat(`{${text.slice(1)}}`);
}

/** V8 keeps what was put together as a tree of its parts until it is looked at: a queue of many would be all trees. */
function flat(text: string): string {
  return text.charCodeAt(0) === 0 ? "" : text;
}

function writeHost(host: HostInfo): string {
  let text = written.get(host);
  if (text === undefined) written.set(host, text = hostText(host));
  return text;
}

/** In this order, without the names: half as long. */
function hostText({ machine, process, processId, bus, runtime, version }: HostInfo): string {
  return JSON.stringify([machine, process, processId, bus, runtime, version]);
}

/** Hosts by their JSON: what comes is mostly from few. A hostile sender must not fill the memory. */
const read = new Map<string, HostInfo>();
const mostHosts = 1000;
const hostKey = `,"host":`;

/** Of a message that says nothing of the kind. */
export const noMeta: Meta = Object.freeze({});
const texts = [
  "correlation",
  "conversation",
  "initiator",
  "request",
  "source",
  "destination",
  "response",
  "fault",
] as const;
const times = ["sent", "expires"] as const;

/**
 * Reads the header. What is `null` there, as some writers put it, is not there.
 *
 * @throws {UnreadableMessageError} if it is not what it must be
 */
export function readMeta(text: string | undefined): Meta {
  if (text === undefined) return noMeta;
  // Where the host stands last, as we write it, its text is looked up. Quotes within a value are escaped: it is no value.
  const at = text.lastIndexOf(hostKey);
  const host = at < 0 ? undefined : read.get(text.slice(at + hostKey.length, -1));
  if (host !== undefined) {
    const meta = checked(parse(`${text.slice(0, at)}}`));
    meta.host = host;
    return meta;
  }
  const meta = checked(parse(text));
  if (at >= 0 && meta.host !== undefined) learn(text.slice(at + hostKey.length, -1), meta.host);
  return meta;
}

/** Learns a host's text, if that is all there is of it. */
function learn(text: string, host: HostInfo): void {
  if (hostText(host) !== text) return;
  if (read.size >= mostHosts) read.clear();
  read.set(text, host);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new UnreadableMessageError(`its header "${names.meta}" is not JSON`, { cause });
  }
}

function checked(parsed: unknown): Meta {
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new UnreadableMessageError(`its header "${names.meta}" is not a JSON object`);
  }
  // Checked key by key below, but for the host, which is only shown.
  const meta = parsed as Meta;
  if (meta.host !== undefined) meta.host = hostOf(meta.host);
  for (const key of texts) {
    if (meta[key] === null) delete meta[key];
    else if (meta[key] !== undefined && typeof meta[key] !== "string") throw wrong(key, "text");
  }
  for (const key of times) {
    if (meta[key] === null) delete meta[key];
    else if (meta[key] !== undefined && !Number.isFinite(meta[key])) throw wrong(key, "a number of milliseconds");
  }
  return meta;
}

/** What others put there is only shown. */
function hostOf(value: unknown): HostInfo | undefined {
  if (!Array.isArray(value)) return value as HostInfo | undefined;
  const [machine, process, processId, bus, runtime, version] = value;
  return { machine, process, processId, bus, runtime, version };
}

function wrong(key: string, what: string): UnreadableMessageError {
  return new UnreadableMessageError(`"${key}" in its header "${names.meta}" is not ${what}`);
}
