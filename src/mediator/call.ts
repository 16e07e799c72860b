/** One call, and what makes it. @module */
import type { Headers } from "../envelope/headers.ts";
import type { RequestOptions, SendOptions } from "../pipeline/sending.ts";
import type { ContextKey } from "../values/context_key.ts";

/** All that may be said of a call: a handler that was written for a bus says what it would say there. */
export type AnyOptions = SendOptions<unknown> & Pick<RequestOptions, "timeout">;

/** The message whose handler makes a call: what flows on from it. */
export interface Origin {
  readonly conversationId: string;
  /** Its correlation id, else its request id. */
  readonly initiates: string | undefined;
  readonly headers: Headers;
  /** Absent where nobody has asked for one. */
  readonly passedSignal: AbortSignal | undefined;
}

/** What contexts need of their mediator. */
export interface Dispatching {
  readonly name: string;
  readonly newId: () => string;
  tell(
    kind: "command" | "event",
    contract: unknown,
    message: unknown,
    options: AnyOptions | undefined,
    origin: Origin | undefined,
  ): Promise<unknown>;
  ask(
    contract: unknown,
    message: unknown,
    options: AnyOptions | undefined,
    origin: Origin | undefined,
  ): Promise<unknown>;
}

/** What is known of a call beside its message. Made only where there is any: most calls have none. */
export class Call {
  readonly options: AnyOptions | undefined;
  readonly origin: Origin | undefined;
  /** Somebody waits for the reply. */
  readonly asked: boolean;
  /** Epoch milliseconds. */
  readonly expiresAt: number | undefined;
  signal: AbortSignal | undefined;
  /** Made when they are read. */
  messageId: string | undefined;
  requestId: string | undefined;
  /** What `ctx.respond` was given, checked. */
  answer: { readonly reply: unknown } | undefined;
  items: Map<ContextKey<unknown>, unknown> | undefined;

  constructor(
    options?: AnyOptions,
    origin?: Origin,
    signal?: AbortSignal,
    asked: boolean = false,
    expiresAt?: number,
  ) {
    this.options = options;
    this.origin = origin;
    this.asked = asked;
    this.expiresAt = expiresAt;
    this.signal = signal;
    this.messageId = options?.messageId;
    this.requestId = undefined;
    this.answer = undefined;
    this.items = undefined;
  }
}

/** One signal for several: as it is, where there is but one. */
export function joined(a: AbortSignal | undefined, b: AbortSignal | undefined): AbortSignal | undefined {
  if (a === undefined || a === b) return b;
  return b === undefined ? a : AbortSignal.any([a, b]);
}
