/** A message on its way to the transport. @module */
import type { Definition } from "../contracts/definition.ts";
import type { Envelope } from "../envelope/envelope.ts";
import { MessageTooLargeError, UnroutableError } from "../errors/sending.ts";
import { OutcomeUnknownError } from "../errors/store.ts";
import type { Frame } from "../spi/frame.ts";
import type { Address, Outgoing } from "../spi/transport.ts";
import type { SendKind } from "./context.ts";
import { resolved } from "../values/resolved.ts";

/** Where made messages go: to the transport, or into a unit of work. */
export interface SendTarget {
  /** Messages leave later, if at all: who sends them does not wait for the broker. */
  readonly holds: boolean;
  /** They outlive this process: what is sent is made into bytes, also where the transport would take it as it is. */
  readonly keeps?: boolean;
  /** Takes the message; it is settled later. Throws if it cannot. */
  enqueue(message: OutgoingMessage): void;
  /** Asked once for each message that was taken: what its sender waits for beside it. Left out: for nothing. */
  turn?(): Promise<void> | undefined;
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

/** A message and its envelope. */
export interface Content {
  readonly envelope: Envelope;
  readonly message: unknown;
}

/** What few messages say. */
export interface OutgoingOptions {
  /** Of a copy: elsewhere than its envelope says. */
  readonly to?: Address | undefined;
  /** Of a copy: for the broker, which removes duplicates by it. */
  readonly messageId?: string | undefined;
  readonly key?: string | undefined;
  readonly priority?: number | undefined;
  /** Epoch milliseconds. */
  readonly dueAt?: number | undefined;
}

/** Somebody waits for the broker. */
class Waiter {
  readonly promise: Promise<void>;
  readonly #resolve: () => void;
  readonly #reject: (error: Error) => void;

  constructor() {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.promise = promise;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  end(error: Error | undefined): void {
    if (error === undefined) this.#resolve();
    else this.#reject(error);
  }
}

/** The broker has it. */
class Taken {
  readonly receipt: string | undefined;

  constructor(receipt: string | undefined) {
    this.receipt = receipt;
  }
}

const taken = new Taken(undefined);
const plain: OutgoingOptions = Object.freeze({});

/** A message on its way to the transport, and the promise of whoever sent it. One is made for every message: it is small. */
export class OutgoingMessage implements Outgoing {
  #frame: Frame;
  readonly kind: SendKind;
  /** Who counts it; set by the target that takes it. */
  listener: SettledListener | undefined;
  readonly #routed: Routed;
  readonly #options: OutgoingOptions;
  readonly #content: Content;
  #state: "open" | Waiter | Taken | Error = "open";

  constructor(
    frame: Frame,
    content: Content,
    kind: SendKind,
    routed: Routed,
    options: OutgoingOptions = plain,
  ) {
    this.#frame = frame;
    this.#content = content;
    this.kind = kind;
    this.#routed = routed;
    this.#options = options;
  }

  get frame(): Frame {
    return this.#frame;
  }
  /** Puts a changed frame in its place, before it is sent. */
  reframe(frame: Frame): void {
    this.#frame = frame;
  }
  get definition(): Definition {
    return this.#routed.definition;
  }
  get envelope(): Envelope {
    return this.#content.envelope;
  }
  get message(): unknown {
    return this.#content.message;
  }
  get to(): Address {
    return this.#options.to ?? this.#content.envelope.destinationAddress ?? "";
  }
  get copy(): boolean {
    return this.#routed.copy ?? false;
  }
  get messageId(): string {
    return this.#options.messageId ?? this.envelope.messageId;
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
    // A copy is a record of what has been: it does not lapse with the message.
    return this.copy ? undefined : this.envelope.expiresAt;
  }
  get mandatory(): boolean {
    return this.kind === "send" || this.kind === "request";
  }

  /** Resolves when the broker has the message, rejects when it does not take it. Made when it is first asked for. */
  get done(): Promise<void> {
    if (this.#state instanceof Taken) return resolved;
    if (this.#state instanceof Error) return Promise.reject(this.#state);
    if (this.#state === "open") this.#state = new Waiter();
    return this.#state.promise;
  }

  /** The transport's, for `Transport.cancel`; known once the broker has the message. */
  get receipt(): string | undefined {
    return this.#state instanceof Taken ? this.#state.receipt : undefined;
  }

  settled(error?: Error, receipt?: string): void {
    const waiter = this.#state;
    if (waiter instanceof Taken || waiter instanceof Error) return;
    const named = error === undefined ? undefined : naming(error, this);
    this.#state = named ?? (receipt === undefined ? taken : new Taken(receipt));
    if (waiter !== "open") waiter.end(named);
    this.listener?.settled(this, named);
  }
}

/** A transport knows no contracts: the errors that name one are made anew, with its own as the cause. */
function naming(error: Error, message: OutgoingMessage): Error {
  if (error instanceof UnroutableError) {
    return new UnroutableError(message.definition.name, message.to, { cause: error });
  }
  if (error instanceof MessageTooLargeError) {
    const { part, sizeInBytes, limitInBytes } = error;
    return new MessageTooLargeError(message.definition.name, part, sizeInBytes, limitInBytes, { cause: error });
  }
  if (error instanceof OutcomeUnknownError) {
    const { definition: { name: contract }, messageId } = message;
    return new OutcomeUnknownError(String(error.details["store"]), { cause: error }, { contract, messageId });
  }
  return error;
}
