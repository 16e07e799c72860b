/** A message to be sent, before it has an envelope. @module */
import type { Definition } from "../contracts/definition.ts";
import type { Envelope, Trace } from "../envelope/envelope.ts";
import type { SenderInfo } from "../envelope/sent_envelope.ts";
import type { Address } from "../spi/transport.ts";
import type { MessageContext, SendKind, SendMiddleware } from "./context.ts";
import type { OutgoingMessage, SendTarget } from "./outgoing_message.ts";
import type { SendOptions } from "./sending.ts";

/** The message that was being handled when another was sent: what flows on from it. */
export interface Cause {
  readonly envelope: Envelope;
  /** The endpoint. */
  readonly sender: SenderInfo;
  /** What its telemetry says, else what came with it. */
  readonly trace: Trace | undefined;
  /** For middleware. */
  readonly context: MessageContext | undefined;
  /** The endpoint's middleware for what its handlers send. */
  readonly sendMiddleware: readonly SendMiddleware[];
}

/** What only requests, replies, faults and schedules say. */
export interface Special {
  readonly requestId?: string | undefined;
  readonly responseAddress?: Address | undefined;
  /** Instead of the contract's and the options'. */
  readonly to?: Address | undefined;
  /** Instead of the contract's own: replies are told by it. */
  readonly type?: string;
  /** Told of what is made of it, before it leaves. */
  readonly posted?: (message: OutgoingMessage) => void;
  /** Epoch milliseconds. */
  readonly dueAt?: number | undefined;
  /** Epoch milliseconds; instead of the contract's and the options' `ttl`. */
  readonly expiresAt?: number | undefined;
}

/** A message to be sent. */
export interface Draft {
  readonly kind: SendKind;
  readonly definition: Definition;
  readonly message: unknown;
  readonly options: SendOptions<unknown>;
  readonly cause: Cause | undefined;
  readonly target: SendTarget;
  readonly special: Special;
}

/** Nothing special: shared, so that plain sends allocate none. */
export const nothingSpecial: Special = Object.freeze({});
/** No options: shared, so that plain sends allocate none. */
export const noOptions: SendOptions<never> = Object.freeze({});
