/** Trace context that came with a message: what can be passed on of it. @module */
import type { FrameHeaders } from "../spi/frame.ts";
import type { Trace } from "./envelope.ts";
import { headerText, names } from "./headers.ts";

const traceparent = /^(?!ff)([0-9a-f]{2})-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$/;
/** W3C: systems pass on at least so much, and may drop what is longer. */
const longestTracestate = 512;
const longestBaggage = 8192;
// deno-lint-ignore no-control-regex -- it is control characters that are refused: they end a header on a text protocol
const control = /[\u0000-\u0008\u000a-\u001f\u007f]/;

/**
 * The trace context of a message. What is malformed is left out, as if it had not been sent: a trace must not harm its
 * message (https://www.w3.org/TR/trace-context/, https://www.w3.org/TR/baggage/).
 */
export function traceOf(headers: FrameHeaders): Trace | undefined {
  const parent = checkedParent(headerText(headers[names.traceparent]));
  const baggage = bounded(headerText(headers[names.baggage]), longestBaggage);
  if (parent === undefined && baggage === undefined) return undefined;
  return {
    traceparent: parent,
    // It tells of the parent, and of nothing without it.
    tracestate: parent === undefined ? undefined : bounded(headerText(headers[names.tracestate]), longestTracestate),
    baggage,
  };
}

function checkedParent(text: string | undefined): string | undefined {
  const match = text === undefined ? null : traceparent.exec(text);
  // Only later versions may say more than this one.
  if (match === null || (match[1] === "00" && match[2] !== undefined)) return undefined;
  return control.test(match[0]) ? undefined : match[0];
}

function bounded(text: string | undefined, longest: number): string | undefined {
  if (text === undefined || text === "" || text.length > longest || control.test(text)) return undefined;
  return text;
}
