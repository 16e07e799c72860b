/** What waits for long, in little room. @module */
import type { Envelope } from "../../src/envelope/envelope.ts";
import { names, noHeaders } from "../../src/envelope/headers.ts";
import { ReceivedEnvelope } from "../../src/envelope/received_envelope.ts";
import { isCommon, TextFrame } from "../../src/envelope/text_frame.ts";
import type { Frame, FrameHeaders } from "../../src/spi/frame.ts";
import type { Address } from "../../src/spi/transport.ts";
import { Deque } from "../../src/values/deque.ts";
import { type Contents, Message } from "./message.ts";

const blockSize = 256;
/** Of a body its start and its length, and of the message how much its position is beyond the block's first. */
const wordsEach = 3;
const mostKinds = 8;

/** What the messages of one sender and contract have in common. */
interface Kind {
  readonly contentType: string;
  /** With the id of one of them, and how many there are; of texts, none. */
  readonly headers: FrameHeaders;
  readonly count: number;
  /** Of texts: that of one of them. */
  readonly envelope: Envelope | undefined;
  readonly via: Address;
}

const unsaid: FrameHeaders = Object.freeze({});

/** So many messages, one after the other. What cannot be packed stands among them as it is. */
class Block {
  readonly #kinds: Kind[] = [];
  /** The ids. All lists have their room from the beginning: one that grows is copied five times, and garbage as often. */
  readonly #entries = new Array<string | Message | undefined>(blockSize);
  /** Where their bodies lie, or these themselves. */
  readonly #bodies = new Array<ArrayBufferLike | string | undefined>(blockSize);
  readonly #words = new Uint32Array(blockSize * wordsEach);
  readonly #kindOf = new Uint8Array(blockSize);
  readonly #first: number;
  /** How many there are. */
  size = 0;
  /** Made when one has a key, or a time. */
  #keys: (string | undefined)[] | undefined;
  #times: (number | undefined)[] | undefined;

  /** @param first the position of its first message */
  constructor(first: number) {
    this.#first = first;
  }

  add(contents: Contents, via: Address, position: number): void {
    const { frame, key, expiresAt } = contents;
    if (frame instanceof TextFrame) return this.#addText(frame, contents, via, position);
    const id = frame.headers[names.id];
    const kind = typeof id === "string" && isPlain(frame) && position - this.#first < 2 ** 32
      ? this.#kind(frame, via)
      : undefined;
    if (kind === undefined || typeof id !== "string") {
      return this.#addWhole(contents, via, position);
    }
    const { buffer, byteOffset, byteLength } = frame.body;
    const at = this.size++;
    this.#entries[at] = id;
    this.#bodies[at] = buffer;
    this.#kindOf[at] = kind;
    this.#words[at * wordsEach] = byteOffset;
    this.#words[at * wordsEach + 1] = byteLength;
    this.#words[at * wordsEach + 2] = position - this.#first;
    if (key !== undefined) (this.#keys ??= [])[at] = key;
    if (expiresAt !== undefined) (this.#times ??= [])[at] = expiresAt;
  }

  #addWhole(contents: Contents, via: Address, position: number): void {
    this.#entries[this.size++] = new Message(contents, via, position, 1);
  }

  #addText(frame: TextFrame, contents: Contents, via: Address, position: number): void {
    const { envelope, text, types } = frame;
    const kind = envelope !== undefined && types === undefined && isCommon(envelope) && position - this.#first < 2 ** 32
      ? this.#textKind(frame.contentType, envelope, via)
      : undefined;
    if (kind === undefined || envelope === undefined) return this.#addWhole(contents, via, position);
    const at = this.size++;
    this.#entries[at] = envelope.messageId;
    this.#bodies[at] = text;
    this.#kindOf[at] = kind;
    this.#words[at * wordsEach + 2] = position - this.#first;
    if (contents.key !== undefined) (this.#keys ??= [])[at] = contents.key;
    if (contents.expiresAt !== undefined) (this.#times ??= [])[at] = contents.expiresAt;
  }

  /** @param priority of all */
  at(index: number, priority: number): Message | undefined {
    const id = this.#entries[index];
    if (typeof id !== "string") return id;
    const kind = this.#kinds[this.#kindOf[index] ?? 0];
    const body = this.#bodies[index];
    const start = this.#words[index * wordsEach];
    const length = this.#words[index * wordsEach + 1];
    const beyond = this.#words[index * wordsEach + 2] ?? 0;
    if (kind === undefined || body === undefined) return undefined; // which `add` has put there
    const { contentType, headers, via } = kind;
    const frame: Frame = typeof body === "string"
      ? textOf(kind, id, body)
      // Its place among the headers is that of the other id.
      : { contentType, headers: { ...headers, [names.id]: id }, body: new Uint8Array(body, start, length) };
    const contents: Contents = { frame, key: this.#keys?.[index], priority, expiresAt: this.#times?.[index] };
    return new Message(contents, via, this.#first + beyond, 1);
  }

  /** `undefined`: there are too many. */
  #kind({ contentType, headers }: Frame, via: Address): number | undefined {
    for (let at = this.#kinds.length - 1; at >= 0; at--) {
      const kind = this.#kinds[at];
      if (
        kind !== undefined && kind.envelope === undefined && kind.contentType === contentType && kind.via === via &&
        isLike(headers, kind)
      ) return at;
    }
    let count = 0;
    for (const _ in headers) count++;
    return this.#learn({ contentType, headers, count, envelope: undefined, via });
  }

  #textKind(contentType: string, envelope: Envelope, via: Address): number | undefined {
    for (let at = this.#kinds.length - 1; at >= 0; at--) {
      const kind = this.#kinds[at];
      const like = kind?.envelope;
      if (
        kind !== undefined && like !== undefined && kind.contentType === contentType && kind.via === via &&
        like.type === envelope.type && like.sourceAddress === envelope.sourceAddress && like.host === envelope.host
      ) return at;
    }
    return this.#learn({ contentType, headers: unsaid, count: 0, envelope, via });
  }

  #learn(kind: Kind): number | undefined {
    return this.#kinds.length === mostKinds ? undefined : this.#kinds.push(kind) - 1;
  }
}

function textOf({ contentType, envelope }: Kind, id: string, text: string): TextFrame {
  const { type = "", sourceAddress, host } = envelope ?? {};
  return new TextFrame(
    contentType,
    new ReceivedEnvelope(id, type, sourceAddress, host, noHeaders, undefined),
    text,
    undefined,
  );
}

/** Whether its bytes are all that it is, and stay where they are. */
function isPlain({ reference, body }: Frame): boolean {
  return reference === undefined && body.constructor === Uint8Array && Reflect.get(body.buffer, "resizable") !== true;
}

/** Whether headers differ in the id alone. */
function isLike(headers: FrameHeaders, like: Kind): boolean {
  let count = 0;
  for (const name in headers) {
    const value = headers[name];
    // What has no value is equal to what is not there.
    if (name !== names.id && (value === undefined || !Object.is(value, like.headers[name]))) return false;
    count++;
  }
  return count === like.count;
}

/**
 * Messages of one priority, in order, of which nobody takes any for a while. A message is some ten objects: 400 bytes
 * beside its body, which a garbage collector copies and looks at as long as they are there. Here it is its id, 21 bytes
 * and a share of what it has in common with others, and is made again when its turn comes.
 */
export class Packed {
  readonly #priority: number;
  readonly #blocks = new Deque<Block>();
  #last: Block | undefined;
  #size = 0;

  constructor(priority: number) {
    this.#priority = priority;
  }

  /** How many there are. */
  get size(): number {
    return this.#size;
  }

  /** Adds one behind all others. */
  add(contents: Contents, via: Address, position: number): void {
    if (this.#last === undefined || this.#last.size === blockSize) {
      this.#last = new Block(position);
      this.#blocks.pushBack(this.#last);
    }
    this.#last.add(contents, via, position);
    this.#size++;
  }

  /** The one at `index`, which stays. */
  at(index: number): Message | undefined {
    return this.#blocks.at(Math.floor(index / blockSize))?.at(index % blockSize, this.#priority);
  }

  /** Takes out the first few. */
  unpack(into: Deque<Message>): void {
    const block = this.#blocks.popFront();
    if (block === undefined) return;
    if (block === this.#last) this.#last = undefined;
    this.#size -= block.size;
    for (let index = 0; index < block.size; index++) {
      const message = block.at(index, this.#priority);
      if (message !== undefined) into.pushBack(message);
    }
  }
}
