/** What middleware sees of a message that is being sent. @module */
import type { Definition } from "../contracts/definition.ts";
import { type Headers, noHeaders } from "../envelope/headers.ts";
import type { Address } from "../spi/transport.ts";
import type { MessageContext, SendContext, SendKind } from "./context.ts";
import type { Draft } from "./draft.ts";

/** What middleware sees of a message that is being sent. */
export class SendingContext implements SendContext {
  readonly kind: SendKind;
  readonly contract: Definition;
  message: unknown;
  readonly messageId: string;
  readonly correlationId: string | undefined;
  readonly to: string;
  readonly cause: MessageContext | undefined;
  readonly #flowing: Headers;
  #own: Headers | undefined;

  constructor(draft: Draft, to: Address, messageId: string) {
    this.kind = draft.kind;
    this.contract = draft.definition;
    this.message = draft.message;
    this.messageId = messageId;
    this.correlationId = draft.options.correlationId;
    this.to = to;
    this.cause = draft.cause?.context;
    this.#own = draft.options.headers;
    this.#flowing = draft.cause?.envelope.headers ?? noHeaders;
  }

  /** Those that were given and set, without those that flow on. */
  get ownHeaders(): Headers | undefined {
    return this.#own;
  }

  get headers(): Headers {
    return { ...this.#flowing, ...this.#own };
  }

  setHeader(name: string, value: string | number | boolean): void {
    this.#own = { ...this.#own, [name]: value };
  }
}
