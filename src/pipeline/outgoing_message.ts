/** A message on its way to the transport. @module */
import type { Definition } from "../contracts/definition.ts";
import type { Envelope } from "../envelope/envelope.ts";
import { MessageTooLargeError, UnroutableError } from "../errors/sending.ts";
import type { Frame } from "../spi/frame.ts";
import type { Address, Outgoing } from "../spi/transport.ts";
import type { SendKind } from "./context.ts";

/** Where made messages go: to the transport, or into a unit of work. */
export interface SendTarget {
  /** Messages leave later, if at all: who sends them does not wait for the broker. */
  readonly holds: boolean;
  /** Takes the message; it is settled later. Throws if it cannot. */
  enqueue(message: OutgoingMessage): void;
}

/** What an outgoing message needs beside its frame. */
export interface Posting {
  readonly kind: SendKind;
  readonly definition: Definition;
  readonly envelope: Envelope;
  readonly message: unknown;
  readonly to: Address;
  readonly alsoTo: readonly Address[];
  readonly key: string | undefined;
  readonly priority: number | undefined;
  readonly dueAt: number | undefined;
  readonly mandatory: boolean;
}

/** Told when a message is settled. */
export interface SettledListener {
  settled(message: OutgoingMessage, error: Error | undefined): void;
}

/** A message on its way to the transport, and the promise of whoever sent it. */
export class OutgoingMessage implements Outgoing {
  readonly frame: Frame;
  readonly kind: SendKind;
  readonly definition: Definition;
  readonly envelope: Envelope;
  readonly message: unknown;
  readonly messageId: string;
  readonly to: Address;
  readonly alsoTo: readonly Address[];
  readonly key: string | undefined;
  readonly priority: number | undefined;
  readonly dueAt: number | undefined;
  readonly expiresAt: number | undefined;
  readonly mandatory: boolean;
  /** Resolves when the broker has the message, rejects when it does not take it. */
  readonly done: Promise<void>;
  /** The transport's, for `Transport.cancel`; known once the broker has the message. */
  receipt: string | undefined;
  /** Who counts it; set by the target that takes it. */
  listener: SettledListener | undefined;
  readonly #resolve: () => void;
  readonly #reject: (error: Error) => void;

  constructor(frame: Frame, posting: Posting) {
    this.frame = frame;
    this.kind = posting.kind;
    this.definition = posting.definition;
    this.envelope = posting.envelope;
    this.message = posting.message;
    this.messageId = posting.envelope.messageId;
    this.to = posting.to;
    this.alsoTo = posting.alsoTo;
    this.key = posting.key;
    this.priority = posting.priority;
    this.dueAt = posting.dueAt;
    this.expiresAt = posting.envelope.expiresAt;
    this.mandatory = posting.mandatory;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.done = promise;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  settled(error?: Error, receipt?: string): void {
    const named = error === undefined ? undefined : naming(error, this);
    this.receipt = receipt;
    if (named === undefined) this.#resolve();
    else this.#reject(named);
    this.listener?.settled(this, named);
  }
}

/** A transport knows no contracts: the errors that name one are made anew, with its own as the cause. */
function naming(error: Error, message: OutgoingMessage): Error {
  if (error instanceof UnroutableError) {
    return new UnroutableError(message.definition.name, message.to, { cause: error });
  }
  if (error instanceof MessageTooLargeError) {
    const { sizeInBytes, limitInBytes } = error.details;
    return new MessageTooLargeError(message.definition.name, "frame", Number(sizeInBytes), Number(limitInBytes));
  }
  return error;
}
