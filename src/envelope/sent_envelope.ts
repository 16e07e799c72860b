/** The envelope of a message that this bus sends. @module */
import type { HostInfo } from "../runtime/host.ts";
import type { Uuid } from "../values/uuid_v7.ts";
import type { Envelope, Trace } from "./envelope.ts";
import { type Headers, noHeaders } from "./headers.ts";

/** Who sends: the same for all messages of a bus, or of one of its endpoints. */
export interface SenderInfo {
  readonly address: string;
  readonly host: HostInfo;
}

/** What few messages say. */
export interface Rest {
  readonly correlationId: string | undefined;
  readonly initiatorId: string | undefined;
  readonly requestId: string | undefined;
  readonly responseAddress: string | undefined;
  readonly expiresAt: number | undefined;
  readonly trace: Trace | undefined;
}

/** The envelope of a message that this bus sends. One is made for every message: it is small. */
export class SentEnvelope implements Envelope {
  readonly messageId: string;
  readonly type: string;
  readonly conversationId: string;
  readonly destinationAddress: string;
  readonly sentAt: number;
  readonly headers: Headers;
  /** Its id as a number, where it was made for it by a source that tells. */
  readonly uuid: Uuid | undefined;
  readonly #sender: SenderInfo;
  readonly #rest: Rest | undefined;

  constructor(
    messageId: string,
    type: string,
    conversationId: string,
    destinationAddress: string,
    sentAt: number,
    headers: Headers,
    sender: SenderInfo,
    rest: Rest | undefined,
    uuid?: Uuid,
  ) {
    this.messageId = messageId;
    this.type = type;
    this.conversationId = conversationId;
    this.destinationAddress = destinationAddress;
    this.sentAt = sentAt;
    this.headers = headers;
    this.uuid = uuid;
    this.#sender = sender;
    this.#rest = rest;
  }

  /** Whether its id was made when it was sent, and says so. Where this is not known, the id is looked at. */
  get idTellsTime(): boolean {
    return this.uuid !== undefined && this.uuid.head.time === this.sentAt;
  }
  /** Whether it says no more than its id, its type, where it goes and who sends, as most do: such are alike. */
  get isCommon(): boolean {
    return this.#rest === undefined && this.headers === noHeaders && this.conversationId === this.messageId &&
      this.idTellsTime;
  }
  /** Of two that are common: whether they differ in their ids alone. */
  isLike(other: SentEnvelope): boolean {
    return this.type === other.type && this.destinationAddress === other.destinationAddress &&
      this.#sender === other.#sender;
  }
  /** The same with another id, of a common one. */
  withId(uuid: Uuid): SentEnvelope {
    const id = uuid.toString();
    const { type, destinationAddress } = this;
    return new SentEnvelope(id, type, id, destinationAddress, uuid.head.time, noHeaders, this.#sender, undefined, uuid);
  }
  get sourceAddress(): string {
    return this.#sender.address;
  }
  get host(): HostInfo {
    return this.#sender.host;
  }
  get correlationId(): string | undefined {
    return this.#rest?.correlationId;
  }
  get initiatorId(): string | undefined {
    return this.#rest?.initiatorId;
  }
  get requestId(): string | undefined {
    return this.#rest?.requestId;
  }
  get responseAddress(): string | undefined {
    return this.#rest?.responseAddress;
  }
  get faultAddress(): string | undefined {
    return undefined;
  }
  get expiresAt(): number | undefined {
    return this.#rest?.expiresAt;
  }
  get trace(): Trace | undefined {
    return this.#rest?.trace;
  }
}
