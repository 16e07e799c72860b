/** The `hero-meta` header, read: as it is written now, and as it was before names became letters. @module */
import { UnreadableMessageError } from "../errors/receiving.ts";
import type { HostInfo } from "../runtime/host.ts";
import { names } from "./headers.ts";
import { hostText, keys, same, timeIn, topicOf } from "./meta.ts";

/** What it says, with what was left out. */
export interface Meta {
  correlation?: string | undefined;
  conversation?: string | undefined;
  initiator?: string | undefined;
  request?: string | undefined;
  source?: string | undefined;
  destination?: string | undefined;
  response?: string | undefined;
  fault?: string | undefined;
  sent?: number | undefined;
  expires?: number | undefined;
  host?: HostInfo | undefined;
}

/** As it came. */
type Parsed = Readonly<Record<string, unknown>>;

const noMeta: Meta = Object.freeze({});
const idNames = ["request", "correlation", "conversation", "initiator"] as const;
const addressNames = ["source", "destination", "response", "fault"] as const;
const timeNames = ["sent", "expires"] as const;
const longNames: readonly (keyof Meta)[] = [...idNames, ...addressNames, ...timeNames, "host"];

/** Hosts by their JSON: what comes is mostly from few. A hostile sender must not fill the memory. */
const hosts = new Map<string, HostInfo>();
const mostHosts = 1_000;
const hostKey = `,"h":`;
/** What most messages of a sender say is one text. Those of any id or time are read each. */
const common = new Map<string, Meta>();
const commonStart = `{"s":`;
const longestCommon = 512;

/** What the header says of a first message that says no more than who has sent it, as others of that sender have. */
export function commonMeta(text: string): Pick<Meta, "source" | "host"> | undefined {
  return common.get(text);
}

/**
 * Reads the header. What is `null` there is not known.
 *
 * @param id that came with the message; `undefined`: none did
 * @param type its `hero-type`
 * @throws {UnreadableMessageError} if it is not what it must be
 */
export function readMeta(text: string | undefined, id: string | undefined, type: string): Meta {
  if (text === undefined) return noMeta;
  const known = common.get(text);
  if (known !== undefined) return withDefaults(known, id, type);
  const parsed = parse(text);
  if (longNames.some((name) => Object.hasOwn(parsed, name))) return readLong(parsed, id);
  const meta = readShort(parsed, id, type);
  const { source, host } = meta;
  if (host !== undefined && text.startsWith(commonStart) && text === commonText(source, host)) {
    if (common.size >= mostHosts) common.clear();
    if (text.length <= longestCommon) common.set(text, Object.freeze({ source, host }));
  }
  return meta;
}

/** What a message says that says no more than who has sent it. */
function commonText(source: string | undefined, host: HostInfo): string {
  return `{"s":${JSON.stringify(source)},"h":${hostText(host)}}`;
}

function withDefaults({ source, host }: Meta, id: string | undefined, type: string): Meta {
  return { conversation: id, source, destination: topicOf(type), sent: sentBy(id), host };
}

function sentBy(id: string | undefined): number | undefined {
  return id === undefined ? undefined : timeIn(id);
}

function readShort(parsed: Parsed, id: string | undefined, type: string): Meta {
  const meta: Meta = { conversation: id, destination: topicOf(type), sent: sentBy(id) };
  for (const name of idNames) {
    const value = parsed[keys[name]];
    if (value === undefined) continue;
    if (value === same.asMessage) meta[name] = id;
    else if (value === same.asRequest && name !== "request") meta[name] = meta.request;
    else meta[name] = textOf(value, keys[name]);
  }
  for (const name of addressNames) {
    const value = parsed[keys[name]];
    if (value !== undefined) meta[name] = textOf(value, keys[name]);
  }
  for (const name of timeNames) {
    const value = parsed[keys[name]];
    if (value !== undefined) meta[name] = timeOf(value, keys[name]);
  }
  meta.host = hostOf(parsed[keys.host]);
  return meta;
}

/** As it was written before, and by whoever writes it by hand. What is left out is not known, but the conversation. */
function readLong(parsed: Parsed, id: string | undefined): Meta {
  const meta: Meta = {};
  for (const name of [...idNames, ...addressNames]) meta[name] = textOf(parsed[name], name);
  for (const name of timeNames) meta[name] = timeOf(parsed[name], name);
  meta.conversation ??= id;
  meta.host = hostOf(parsed["host"]);
  return meta;
}

/** Where the host stands last, as we write it, its text is looked up. Quotes within a value are escaped: it is no value. */
function parse(text: string): Parsed {
  const at = text.lastIndexOf(hostKey);
  const tail = at < 0 ? "" : text.slice(at + hostKey.length, -1);
  const host = hosts.get(tail);
  const parsed = parsedJson(host === undefined ? text : `${text.slice(0, at)}}`);
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new UnreadableMessageError(`its header "${names.meta}" is not a JSON object`);
  }
  const meta = parsed as Record<string, unknown>;
  if (host !== undefined) meta[keys.host] = host;
  else if (at >= 0) {
    const read = hostOf(meta[keys.host]);
    if (read !== undefined && hostText(read) === tail) {
      if (hosts.size >= mostHosts) hosts.clear();
      hosts.set(tail, read);
      meta[keys.host] = read;
    }
  }
  return meta;
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new UnreadableMessageError(`its header "${names.meta}" is not JSON`, { cause });
  }
}

/** What others put there is only shown. */
function hostOf(value: unknown): HostInfo | undefined {
  if (!Array.isArray(value)) return (value ?? undefined) as HostInfo | undefined;
  const [machine, process, processId, bus, runtime, version] = value;
  return { machine, process, processId, bus, runtime, version };
}

function textOf(value: unknown, key: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string") throw wrong(key, "text");
  return value;
}

function timeOf(value: unknown, key: string): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "number" || !Number.isFinite(value)) throw wrong(key, "a number of milliseconds");
  return value;
}

function wrong(key: string, what: string): UnreadableMessageError {
  return new UnreadableMessageError(`"${key}" in its header "${names.meta}" is not ${what}`);
}
