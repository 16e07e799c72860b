/** The envelope of a message that came, and says no more than who has sent it. @module */
import type { HostInfo } from "../runtime/host.ts";
import type { Envelope, Trace } from "./envelope.ts";
import type { Headers } from "./headers.ts";
import { timeIn, topicOf } from "./meta.ts";

/**
 * The envelope of a message that says no more than who has sent it, as most do: the rest follows from its id and type.
 * When it was sent is looked for in the id once somebody asks, as most ids are never looked at otherwise: until then
 * the engines keep them as the two parts that they were put together of. It is not spread.
 */
export class ReceivedEnvelope implements Envelope {
  readonly messageId: string;
  readonly type: string;
  readonly correlationId = undefined;
  readonly conversationId: string;
  readonly initiatorId = undefined;
  readonly requestId = undefined;
  readonly sourceAddress: string | undefined;
  readonly destinationAddress: string | undefined;
  readonly responseAddress = undefined;
  readonly faultAddress = undefined;
  readonly expiresAt = undefined;
  readonly headers: Headers;
  readonly trace: Trace | undefined;
  readonly host: HostInfo | undefined;

  constructor(
    messageId: string,
    type: string,
    sourceAddress: string | undefined,
    host: HostInfo | undefined,
    headers: Headers,
    trace: Trace | undefined,
  ) {
    this.messageId = messageId;
    this.type = type;
    this.conversationId = messageId;
    this.sourceAddress = sourceAddress;
    this.destinationAddress = topicOf(type);
    this.headers = headers;
    this.trace = trace;
    this.host = host;
  }

  get sentAt(): number | undefined {
    return timeIn(this.messageId);
  }
}
