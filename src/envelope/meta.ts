/**
 * The `hero-meta` header, written: what an envelope says beside its id, type, headers and trace, as compact JSON. Brokers
 * pay for each byte of each message, so its names are letters, and what follows from the id or the type is left out:
 * see docs/adr/0009.
 *
 * @module
 */
import type { HostInfo } from "../runtime/host.ts";
import type { Envelope } from "./envelope.ts";
import { SentEnvelope } from "./sent_envelope.ts";

/** The keys. The host stands last: whoever reads it knows its text by then. */
export const keys = {
  correlation: "c",
  /** Left out: the message's own id. */
  conversation: "v",
  initiator: "i",
  request: "q",
  /** Left out: the topic that is called like the type. */
  destination: "d",
  response: "r",
  fault: "f",
  /** Left out: when the id was made, where it tells that. */
  sent: "t",
  expires: "x",
  source: "s",
  host: "h",
} as const;

/** What stands for an id that is said elsewhere: that of the message, or that of the request. */
export const same = { asMessage: 0, asRequest: 1 } as const;

/** Text that JSON writes as it is: ids and addresses mostly are. */
const plain = /^[ !#-[\]-~]*$/;
const quote = (text: string): string => plain.test(text) ? `"${text}"` : JSON.stringify(text);

/** Written key by key, as `JSON.stringify` would: it is made for every message. */
export function writeMeta(envelope: Envelope): string {
  const { messageId, type, correlationId, conversationId, initiatorId, requestId, host } = envelope;
  const { sourceAddress, destinationAddress, responseAddress, faultAddress, sentAt, expiresAt } = envelope;
  let text = "";
  if (correlationId !== undefined) text += `,"c":${idText(correlationId, messageId, requestId)}`;
  if (conversationId === undefined) text += `,"v":null`;
  else if (conversationId !== messageId) text += `,"v":${idText(conversationId, messageId, requestId)}`;
  if (initiatorId !== undefined) text += `,"i":${idText(initiatorId, messageId, requestId)}`;
  if (requestId !== undefined) text += `,"q":${idText(requestId, messageId, undefined)}`;
  if (destinationAddress === undefined) text += `,"d":null`;
  else if (destinationAddress !== topicOf(type)) text += `,"d":${quote(destinationAddress)}`;
  if (responseAddress !== undefined) text += `,"r":${quote(responseAddress)}`;
  if (faultAddress !== undefined) text += `,"f":${quote(faultAddress)}`;
  if (!isToldByItsId(envelope) && sentAt !== timeIn(messageId)) text += `,"t":${sentAt ?? null}`;
  if (expiresAt !== undefined) text += `,"x":${expiresAt}`;
  const end = endOf(sourceAddress, host);
  return text === "" ? end : flat(`{${text.slice(1)}${end === "{}" ? "" : ","}${end.slice(1)}`);
}

/** How many characters an envelope's own texts have, as `hero-type` and `hero-meta` may say them, unquoted. */
export function lengthOf(envelope: Envelope): number {
  const { type, conversationId, messageId, correlationId, initiatorId, requestId, host } = envelope;
  const { sourceAddress, destinationAddress, responseAddress, faultAddress } = envelope;
  let length = type.length + endOf(sourceAddress, host).length;
  if (destinationAddress !== undefined) length += destinationAddress.length;
  if (conversationId !== undefined && conversationId !== messageId) length += conversationId.length;
  if (correlationId !== undefined) length += correlationId.length;
  if (initiatorId !== undefined) length += initiatorId.length;
  if (requestId !== undefined) length += requestId.length;
  if (responseAddress !== undefined) length += responseAddress.length;
  return faultAddress === undefined ? length : length + faultAddress.length;
}

/** Whether it is known, without a look at it, that its id tells when it was sent. */
function isToldByItsId(envelope: Envelope): boolean {
  return envelope instanceof SentEnvelope && envelope.idTellsTime;
}

function idText(id: string, messageId: string, requestId: string | undefined): string {
  if (id === messageId) return "0";
  return id === requestId ? "1" : quote(id);
}

/** V8 keeps what was put together as a tree of its parts until it is looked at: a queue of many would be all trees. */
function flat(text: string): string {
  return text.charCodeAt(0) === 0 ? "" : text;
}

const topic = "topic:";
/** A hostile sender must not fill the memory with types that nobody has. */
const mostTypes = 10_000;
/** By type: a text that is put together anew for each message costs more than to look it up. */
const topics = new Map<string, string>();

/** The type that was looked at last, and its topic: most messages are of the type of the one before. */
let topicType = "";
let topicOfType: string | undefined;

/** The topic of the type itself: the first name in `hero-type`, without its version. `undefined`: there is none. */
export function topicOf(type: string): string | undefined {
  if (type !== topicType) {
    topicOfType = topics.get(type) ?? learnTopic(type);
    topicType = type;
  }
  return topicOfType;
}

function learnTopic(type: string): string | undefined {
  const version = type.indexOf(";");
  const base = type.indexOf(",");
  const end = version < 0 ? base : base < 0 ? version : Math.min(version, base);
  const name = end < 0 ? type : type.slice(0, end);
  if (name === "") return undefined;
  if (topics.size >= mostTypes) topics.clear();
  const made = flat(topic + name);
  topics.set(type, made);
  return made;
}

/** The beginning of the UUID that was looked at last: most are made in the same millisecond as the one before. */
let timeText = "-";
let time: number | undefined;

/** The time in a UUIDv7, in epoch milliseconds; `undefined`: it is none. */
export function timeIn(id: string): number | undefined {
  if (id.length !== 36 || id.charCodeAt(14) !== 0x37 || id.charCodeAt(8) !== 0x2d) return undefined; // "7", "-"
  if (!id.startsWith(timeText)) {
    timeText = id.slice(0, 13);
    const value = Number.parseInt(timeText.slice(0, 8) + timeText.slice(9), 16);
    time = Number.isNaN(value) ? undefined : value;
  }
  return time;
}

/** By host, for each address that it sends from: one text for most of its messages. Others' envelopes may say anything. */
const ends = new WeakMap<HostInfo, Map<string, string>>();
const mostSources = 1_000;

/** Who sent last, and the text of it. */
let endHost: HostInfo | undefined;
let endSource: string | undefined;
let endText = "{}";

/** Who sends, which is the same for all messages of a bus, or of one of its endpoints. */
function endOf(source: string | undefined, host: HostInfo | undefined): string {
  if (host !== endHost || source !== endSource) {
    endText = lookUpEnd(source, host);
    endHost = host;
    endSource = source;
  }
  return endText;
}

function lookUpEnd(source: string | undefined, host: HostInfo | undefined): string {
  if (host === undefined) return source === undefined ? "{}" : `{"s":${quote(source)}}`;
  let texts = ends.get(host);
  if (texts === undefined) ends.set(host, texts = new Map());
  let text = texts.get(source ?? "");
  if (text === undefined) {
    if (texts.size >= mostSources) texts.clear();
    text = source === undefined ? `{"h":${hostText(host)}}` : `{"s":${quote(source)},"h":${hostText(host)}}`;
    texts.set(source ?? "", text);
  }
  return text;
}

/** In this order, without the names: half as long. */
export function hostText({ machine, process, processId, bus, runtime, version }: HostInfo): string {
  return JSON.stringify([machine, process, processId, bus, runtime, version]);
}
