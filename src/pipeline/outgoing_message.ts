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

/** Told when a message is settled. */
export interface SettledListener {
  settled(message: OutgoingMessage, error: Error | undefined): void;
}

/** What a message has in common with others of its contract. */
export interface Routed {
  readonly definition: Definition;
  /** The topics of its bases, where the broker does not forward to them. */
  readonly alsoTo: readonly Address[];
  /** A copy of what was sent before: observers are not told of it. */
  readonly copy?: boolean;
}

/** What few messages say. */
export interface OutgoingOptions {
  readonly key?: string | undefined;
  readonly priority?: number | undefined;
  /** Epoch milliseconds. */
  readonly dueAt?: number | undefined;
}

const done = Promise.resolve();
const plain: OutgoingOptions = Object.freeze({});

/** A message on its way to the transport, and the promise of whoever sent it. One is made for every message: it is small. */
export class OutgoingMessage implements Outgoing {
  readonly frame: Frame;
  readonly envelope: Envelope;
  readonly kind: SendKind;
  readonly message: unknown;
  readonly to: Address;
  /** The transport's, for `Transport.cancel`; known once the broker has the message. */
  receipt: string | undefined;
  /** Who counts it; set by the target that takes it. */
  listener: SettledListener | undefined;
  readonly #routed: Routed;
  readonly #options: OutgoingOptions;
  #waiter: PromiseWithResolvers<void> | undefined;
  #outcome: "open" | "taken" | Error = "open";

  constructor(
    frame: Frame,
    envelope: Envelope,
    kind: SendKind,
    message: unknown,
    to: Address,
    routed: Routed,
    options: OutgoingOptions = plain,
  ) {
    this.frame = frame;
    this.envelope = envelope;
    this.kind = kind;
    this.message = message;
    this.to = to;
    this.#routed = routed;
    this.#options = options;
  }

  get definition(): Definition {
    return this.#routed.definition;
  }
  get copy(): boolean {
    return this.#routed.copy ?? false;
  }
  get messageId(): string {
    return this.envelope.messageId;
  }
  get alsoTo(): readonly Address[] {
    return this.#routed.alsoTo;
  }
  get key(): string | undefined {
    return this.#options.key;
  }
  get priority(): number | undefined {
    return this.#options.priority;
  }
  get dueAt(): number | undefined {
    return this.#options.dueAt;
  }
  get expiresAt(): number | undefined {
    return this.envelope.expiresAt;
  }
  get mandatory(): boolean {
    return this.kind === "send" || this.kind === "request";
  }

  /** Resolves when the broker has the message, rejects when it does not take it. Made when it is first asked for. */
  get done(): Promise<void> {
    if (this.#outcome === "taken") return done;
    if (this.#outcome !== "open") return Promise.reject(this.#outcome);
    this.#waiter ??= Promise.withResolvers<void>();
    return this.#waiter.promise;
  }

  settled(error?: Error, receipt?: string): void {
    if (this.#outcome !== "open") return;
    const named = error === undefined ? undefined : naming(error, this);
    this.receipt = receipt;
    this.#outcome = named ?? "taken";
    if (named === undefined) this.#waiter?.resolve();
    else this.#waiter?.reject(named);
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
