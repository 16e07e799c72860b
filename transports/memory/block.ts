/** Some hundred messages that wait, in little room. @module */
import { names } from "../../src/envelope/headers.ts";
import { type KeptContent, KeptFrame } from "../../src/envelope/kept_frame.ts";
import type { SentEnvelope } from "../../src/envelope/sent_envelope.ts";
import type { Frame, FrameHeaders } from "../../src/spi/frame.ts";
import type { Address } from "../../src/spi/transport.ts";
import { Uuid, type UuidHead } from "../../src/values/uuid_v7.ts";
import { type Contents, Message } from "./message.ts";

/** So many messages are in a block. */
export const blockSize = 256;
const mostKinds = 8;
/** So many ids have one head. */
const ends = 2 ** 12;
const farthest = 2 ** 32;

/** What messages have in common that are kept as they are: a frame and its envelope. */
interface KeptKind {
  readonly frame: KeptFrame;
  readonly envelope: SentEnvelope;
  readonly via: Address;
}

/** What messages of bytes have in common. */
interface BytesKind {
  readonly envelope: undefined;
  readonly contentType: string;
  /** With the id of one of them, and how many there are. */
  readonly headers: FrameHeaders;
  readonly count: number;
  readonly via: Address;
}

/** So many messages, one after the other. What cannot be packed stands among them as it is. */
export class Block {
  readonly #kinds: (KeptKind | BytesKind)[] = [];
  /**
   * The messages that are kept as they are, the ids of those of bytes, and those that cannot be packed. It has its room
   * from the beginning: a list that grows is copied five times.
   */
  readonly #entries = new Array<KeptContent | Message | undefined>(blockSize);
  /** Each of the others is made when one needs it. */
  #heads: UuidHead[] | undefined;
  /** Of each id, which of the heads it has, and its end: numbers of which a collector knows nothing. */
  #ids: Uint32Array | undefined;
  /** Where bodies lie, each with its start and length. */
  #buffers: ArrayBufferLike[] | undefined;
  #places: Uint32Array | undefined;
  #kindOf: Uint8Array | undefined;
  #keys: (string | undefined)[] | undefined;
  #times: (number | undefined)[] | undefined;
  /** How much their positions are beyond the first's, if not by their index. */
  #beyond: Uint32Array | undefined;
  readonly #first: number;
  /** How many there are. */
  size = 0;

  /** @param first the position of its first message */
  constructor(first: number) {
    this.#first = first;
  }

  /** Adds one behind all others. There is room for {@linkcode blockSize}. */
  add(contents: Contents, via: Address, position: number): void {
    const { frame, key, expiresAt } = contents;
    const at = this.size++;
    const beyond = position - this.#first;
    const kind = beyond >= farthest
      ? undefined
      : frame instanceof KeptFrame
      ? this.#addKept(at, frame, via)
      : this.#addBytes(at, frame, via);
    if (kind === undefined) {
      this.#entries[at] = new Message(contents, via, position, 1);
      return;
    }
    if (kind !== 0) (this.#kindOf ??= new Uint8Array(blockSize))[at] = kind;
    if (key !== undefined) (this.#keys ??= [])[at] = key;
    if (expiresAt !== undefined) (this.#times ??= [])[at] = expiresAt;
    if (beyond !== at || this.#beyond !== undefined) (this.#beyond ??= upTo(at))[at] = beyond;
  }

  /** The kind of the message; `undefined`: it cannot be packed. */
  #addKept(at: number, frame: KeptFrame, via: Address): number | undefined {
    const envelope = frame.common;
    if (envelope?.uuid === undefined) return undefined;
    const kind = this.#keptKind(frame, envelope, via);
    if (kind === undefined) return undefined;
    const { head, end } = envelope.uuid;
    const heads = this.#heads ??= [head];
    if (heads.at(-1) !== head) heads.push(head);
    (this.#ids ??= new Uint32Array(blockSize))[at] = (heads.length - 1) * ends + end;
    this.#entries[at] = frame.compact;
    return kind;
  }

  /** As {@linkcode Block.#addKept}. */
  #addBytes(at: number, frame: Frame, via: Address): number | undefined {
    const id = frame.headers[names.id];
    const kind = typeof id === "string" && isPlain(frame) ? this.#bytesKind(frame, via) : undefined;
    if (kind === undefined || typeof id !== "string") return undefined;
    this.#entries[at] = id;
    const { buffer, byteOffset, byteLength } = frame.body;
    (this.#buffers ??= new Array(blockSize))[at] = buffer;
    const places = this.#places ??= new Uint32Array(blockSize * 2);
    places[at * 2] = byteOffset;
    places[at * 2 + 1] = byteLength;
    return kind;
  }

  /** @param priority of all */
  at(index: number, priority: number): Message | undefined {
    const entry = this.#entries[index];
    if (entry === undefined || entry instanceof Message) return entry;
    const kind = this.#kinds[this.#kindOf?.[index] ?? 0];
    if (kind === undefined) return undefined; // which `add` has put there, as all else
    const frame = kind.envelope === undefined ? this.#bytes(index, entry, kind) : this.#kept(index, entry, kind);
    if (frame === undefined) return undefined;
    const position = this.#first + (this.#beyond?.[index] ?? index);
    const contents: Contents = { frame, key: this.#keys?.[index], priority, expiresAt: this.#times?.[index] };
    return new Message(contents, kind.via, position, 1);
  }

  #kept(index: number, content: KeptContent, { frame, envelope }: KeptKind): Frame | undefined {
    const id = this.#ids?.[index] ?? 0;
    const head = this.#heads?.[Math.floor(id / ends)];
    return head === undefined ? undefined : frame.another(envelope.withId(new Uuid(head, id % ends)), content);
  }

  #bytes(index: number, id: KeptContent, kind: BytesKind): Frame | undefined {
    const buffer = this.#buffers?.[index];
    if (typeof id !== "string" || buffer === undefined) return undefined;
    const body = new Uint8Array(buffer, this.#places?.[index * 2], this.#places?.[index * 2 + 1]);
    // Its place among the headers is that of the other id.
    return { contentType: kind.contentType, headers: { ...kind.headers, [names.id]: id }, body };
  }

  /** `undefined`: there are too many. */
  #keptKind(frame: KeptFrame, envelope: SentEnvelope, via: Address): number | undefined {
    for (let at = this.#kinds.length - 1; at >= 0; at--) {
      const kind = this.#kinds[at];
      if (
        kind?.envelope !== undefined && kind.via === via && envelope.isLike(kind.envelope) &&
        frame.isWrittenAs(kind.frame)
      ) return at;
    }
    return this.#learn({ frame, envelope, via });
  }

  /** `undefined`: there are too many. */
  #bytesKind({ contentType, headers }: Frame, via: Address): number | undefined {
    for (let at = this.#kinds.length - 1; at >= 0; at--) {
      const kind = this.#kinds[at];
      if (
        kind !== undefined && kind.envelope === undefined && kind.contentType === contentType && kind.via === via &&
        isLike(headers, kind)
      ) return at;
    }
    let count = 0;
    for (const _ in headers) count++;
    return this.#learn({ envelope: undefined, contentType, headers, count, via });
  }

  #learn(kind: KeptKind | BytesKind): number | undefined {
    return this.#kinds.length === mostKinds ? undefined : this.#kinds.push(kind) - 1;
  }
}

function upTo(count: number): Uint32Array {
  const indices = new Uint32Array(blockSize);
  for (let at = 0; at < count; at++) indices[at] = at;
  return indices;
}

/** Whether its bytes are all that it is, and stay where they are. */
function isPlain({ reference, body }: Frame): boolean {
  return reference === undefined && body.constructor === Uint8Array && Reflect.get(body.buffer, "resizable") !== true;
}

/** Whether headers differ in the id alone. */
function isLike(headers: FrameHeaders, like: BytesKind): boolean {
  let count = 0;
  for (const name in headers) {
    const value = headers[name];
    // What has no value is equal to what is not there.
    if (name !== names.id && (value === undefined || !Object.is(value, like.headers[name]))) return false;
    count++;
  }
  return count === like.count;
}
