/** What is known about a message beside its payload. @module */
import type { HostInfo } from "../runtime/host.ts";
import type { Headers } from "./headers.ts";

/** W3C trace context and baggage, as text, as they came or as telemetry wrote them. */
export interface Trace {
  readonly traceparent: string | undefined;
  readonly tracestate: string | undefined;
  readonly baggage: string | undefined;
}

/** What is known about a message beside its payload. Times are epoch milliseconds, addresses as in `queue:orders`. */
export interface Envelope {
  readonly messageId: string;
  /** `name;v=2, base, …`, most specific first. */
  readonly type: string;
  /** What the message is about, as the sender says. */
  readonly correlationId: string | undefined;
  /** The same for all that follows from one first message. */
  readonly conversationId: string | undefined;
  /** The correlation id, else the request id, of the message that was being handled when this one was sent. */
  readonly initiatorId: string | undefined;
  /** Of a request, its reply and its fault. */
  readonly requestId: string | undefined;
  readonly sourceAddress: string | undefined;
  readonly destinationAddress: string | undefined;
  /** Where the answer to a request goes. */
  readonly responseAddress: string | undefined;
  /** Where a fault goes; left out: it is published. */
  readonly faultAddress: string | undefined;
  readonly sentAt: number | undefined;
  readonly expiresAt: number | undefined;
  /** The application's own. */
  readonly headers: Headers;
  readonly trace: Trace | undefined;
  /** Where it was sent. */
  readonly host: HostInfo | undefined;
}
