/** Headers: the application's own, and the library's names. @module */
import { ConfigurationError } from "../errors/configuration.ts";
import { InvalidHeaderError } from "../errors/sending.ts";
import type { FrameHeaders, NativeValue } from "../spi/frame.ts";
import { toBase64 } from "../values/base64.ts";
import { otherThanObject } from "../values/kind_of.ts";

/**
 * What an application's header may hold; other native values arrive as text (`bigint`, `Date` as ISO, bytes as base64).
 */
export type HeaderValue = string | number | boolean;

/** An application's headers by name. */
export type Headers = Readonly<Record<string, HeaderValue>>;

/** No headers. */
export const noHeaders: Headers = Object.freeze({});

/** The names of the library's own headers on the wire. */
export const names = {
  id: "hero-id",
  type: "hero-type",
  meta: "hero-meta",
  types: "hero-types",
  /** By what a transport chooses among the queues of a topic. */
  routingKey: "hero-routing-key",
  traceparent: "traceparent",
  tracestate: "tracestate",
  baggage: "baggage",
  /** How often it has been handled before this delivery. */
  attempts: "hero-attempts",
  /** How often the endpoint has sent it back to be delivered later. */
  redeliveries: "hero-redeliveries",
  /** How often a handler has put it off. */
  deferral: "hero-deferral",
  /** Why it is in an error or skipped queue: `fault`, `unreadable`, `limit`, `expired`, `no-consumer`. */
  reason: "hero-reason",
  errorType: "hero-error-type",
  errorMessage: "hero-error-message",
  errors: "hero-error",
  failedAt: "hero-failed-at",
  failedEndpoint: "hero-failed-endpoint",
  failedHost: "hero-failed-host",
  failedAttempts: "hero-failed-attempts",
  /** Why nobody could be told of the failure. */
  faultNotTold: "hero-fault-not-told",
  /** When an operator put it back: from then on it does not expire. */
  putBackAt: "hero-put-back-at",
  forwardedBy: "hero-forwarded-by",
  auditedBy: "hero-audited-by",
  /** How what waits in an outbox is to be sent; it stays there. */
  outbox: "hero-outbox",
} as const;

const mostNames = 200;
const token = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/;
// deno-lint-ignore no-control-regex -- it is control characters that are refused: they end a header on a text protocol
const control = /[\u0000-\u0008\u000a-\u001f\u007f]/;

/**
 * Checks the headers of a message to be sent.
 *
 * @param contract the name of the message's
 * @throws {InvalidHeaderError} for a name or a value that cannot be sent, {@linkcode ConfigurationError} if they are none
 */
export function checkHeaders(headers: Headers, contract: string): void {
  const given = otherThanObject(headers);
  if (given !== undefined) {
    throw new ConfigurationError(`Cannot send "${contract}" with these headers: they are ${given}. Give an object`);
  }
  const entries = Object.entries(headers);
  const refuse = (name: string, why: string): never => {
    throw new InvalidHeaderError(name, why, contract);
  };
  if (entries.length > mostNames) {
    refuse(entries[mostNames]?.[0] ?? "", `there are more than ${mostNames}. Send fewer`);
  }
  for (const [name, value] of entries) {
    const why = problemOf(name, value);
    if (why !== undefined) refuse(name, why);
  }
}

/** Why a header cannot be sent; `undefined`: it can. */
function problemOf(name: string, value: unknown): string | undefined {
  if (!token.test(name)) return `its name must be 1 to 128 letters, digits or !#$%&'*+.^_\`|~-`;
  if (name === "__proto__") return `receivers in JavaScript may lose it. Give it another name`;
  if (isInfrastructure(name)) return `the name belongs to the library or the broker. Give it another`;
  switch (typeof value) {
    case "string":
      if (control.test(value)) return `its value has control characters. Encode it`;
      return value.isWellFormed() ? undefined : `its value has a lone surrogate. Mend the text`;
    case "number":
      return Number.isFinite(value) ? undefined : `its value is ${value}. Send a finite number`;
    case "boolean":
      return undefined;
    default:
      return `its value is of type ${typeof value}. Send text, a number or a boolean`;
  }
}

const infrastructure =
  /^(hero-|traceparent$|tracestate$|baggage$|content-type$|x-death$|x-first-death-|x-last-death-|x-delivery-count$|x-opt-)/i;

/** Whether a header is the library's or the broker's: those are not the application's, and do not flow on. */
export function isInfrastructure(name: string): boolean {
  // MassTransit's own are upper-case: it lets `mt-x` flow on.
  return name.startsWith("MT-") || infrastructure.test(name);
}

/** The application's headers of a frame. */
export function applicationHeaders(native: FrameHeaders): Headers {
  let headers: Record<string, HeaderValue> | undefined;
  for (const name in native) {
    // The three of every message first: the rule for all others takes longer.
    if (name === names.id || name === names.type || name === names.meta || isInfrastructure(name)) continue;
    const value = native[name];
    if (value === undefined) continue;
    // An own property, whatever its name: `__proto__` must not become a prototype.
    headers ??= Object.create(null) as Record<string, HeaderValue>;
    headers[name] = headerValue(value);
  }
  return headers ?? noHeaders;
}

function headerValue(value: NativeValue): HeaderValue {
  switch (typeof value) {
    case "string":
    case "number":
    case "boolean":
      return value;
    case "bigint":
      return value.toString();
    default:
      if (value instanceof Date) return Number.isNaN(value.getTime()) ? "" : value.toISOString();
      return value instanceof Uint8Array ? toBase64(value) : String(value);
  }
}

const decoder = new TextDecoder();

/** A header as text: bytes are UTF-8, as some clients send text so. */
export function headerText(value: NativeValue | undefined): string | undefined {
  if (typeof value === "string") return value;
  if (value === undefined) return undefined;
  return value instanceof Uint8Array ? decoder.decode(value) : String(headerValue(value));
}

/** A header as a whole number ≥ 0; anything else is 0. */
export function headerCount(value: NativeValue | undefined): number {
  if (value === undefined) return 0;
  const count = Number(headerText(value));
  return Number.isSafeInteger(count) && count >= 0 ? count : 0;
}

/** About how many bytes the headers take on a wire, text in UTF-8. */
export function sizeOfHeaders(headers: FrameHeaders): number {
  let size = 0;
  for (const name in headers) {
    const value = headers[name];
    size += name.length + 3 +
      (typeof value === "string" ? sizeOfText(value) : value instanceof Uint8Array ? value.length : 9);
  }
  return size;
}

/** As `TextEncoder` would write it, without writing it. */
function sizeOfText(text: string): number {
  let size = text.length;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit < 0x80) continue;
    size += unit < 0x800 ? 1 : 2;
    // Two units of a pair make four bytes; a lone one becomes U+FFFD, which has three.
    if (unit >= 0xd800 && unit < 0xdc00 && (text.charCodeAt(at + 1) & 0xfc00) === 0xdc00) at++;
  }
  return size;
}
