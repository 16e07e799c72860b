/** The telemetry plug-in: traces and metrics of what a bus does. @module */

/** W3C trace context, as text. */
export interface TraceHeaders {
  /** Version, trace id, parent id and flags. `undefined`: there was none, or it was malformed; a new trace begins. */
  readonly traceparent: string | undefined;
  /** What vendors add to it. */
  readonly tracestate: string | undefined;
  /** What the application passes on: `key=value, …`. */
  readonly baggage: string | undefined;
}

/** A message that is about to be sent. */
export interface SendActivity {
  /** The name of the bus. */
  readonly bus: string;
  /** What the sender called. */
  readonly kind: "send" | "publish" | "request" | "respond" | "fault";
  /** The contract's name. */
  readonly contract: string;
  /** The same on every attempt. */
  readonly messageId: string;
  /** What a first message led to shares it. */
  readonly conversationId: string | undefined;
  /** An address. */
  readonly to: string;
  /** Of the message that is being handled, if any. */
  readonly parent: TraceHeaders | undefined;
}
/** A message that is about to be handled. */
export interface ProcessActivity {
  /** The name of the bus. */
  readonly bus: string;
  /** The endpoint that handles it. */
  readonly endpoint: string;
  /** The `hero-type` header: the contract's name first. */
  readonly type: string;
  /** The same on every attempt. */
  readonly messageId: string;
  /** What a first message led to shares it. */
  readonly conversationId: string | undefined;
  /** As it came. */
  readonly parent: TraceHeaders | undefined;
  /** Epoch milliseconds, if its sender said so. */
  readonly sentAt: number | undefined;
}

/** What goes on between the call that gave it and `end`. */
export interface Span {
  /** What the messages that follow from it carry; left out: those of its parent. */
  readonly trace?: TraceHeaders | undefined;
  /** Runs handlers with the span as the active one, where the telemetry has such a thing. */
  run?<Result>(work: () => Result): Result;
  /** Once. */
  end(error?: Error): void;
}

/** What waits in a store to be sent, as of a moment ago, and what has become of what waited. */
export interface Backlog {
  /** Neither sent nor parked, of all processes of the bus. */
  readonly waiting: number;
  /** Given up, until an operator takes them up again. */
  readonly parked: number;
  /** One of those, and why. */
  readonly firstParked?: { readonly messageId: string; readonly error: string };
  /** For how long the oldest that is due has been so, in milliseconds; 0: none is. */
  readonly oldestInMs: number;
  /** How many this process has sent since it started. */
  readonly sent: number;
  /** The same for each second, over the last ten seconds or more. */
  readonly sentPerSecond: number;
  /** How many this process has not sent, as they would have come too late: `schedule`'s `{ late }`. */
  readonly dropped: number;
}
/** A backlog, and whose it is. */
export interface BacklogActivity extends Backlog {
  /** The name of the bus. */
  readonly bus: string;
  /** What was to be sent at once, or what was scheduled. */
  readonly of: "outbox" | "schedules";
}

/**
 * Sees what a bus sends, receives, processes and settles. `undefined` where it does not look at a message. No method
 * throws; what one throws all the same is dropped. A bus without it pays for one look at `undefined` where each of these
 * would be called: activities and spans are made for telemetry alone, and no step of a pipeline stands for it.
 */
export interface Telemetry {
  /** Before the message is serialized; ends when the broker has it, or has not. */
  send(activity: SendActivity): Span | undefined;
  /** A batch of deliveries has come. */
  receive(bus: string, endpoint: string, count: number): void;
  /** Around the handling of one message, retries included. */
  process(activity: ProcessActivity): Span | undefined;
  /** A batch of deliveries is being settled. */
  settle(bus: string, endpoint: string, outcome: "accept" | "release" | "again" | "move", count: number): void;
  /**
   * What waits in the bus' store: every ten seconds or less often, and whenever a message is parked. From each process
   * alike, as far as it is about all of them.
   */
  backlog?(activity: BacklogActivity): void;
}
