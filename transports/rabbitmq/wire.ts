/** How frames get onto the socket. @module */
import type { Channel } from "amqplib";
import { Buffer as NodeBuffer } from "node:buffer"; // what the client writes
import { type Publication, publicationBytes, writePublication } from "./encoding.ts";

/** What is written in one go, at most. */
const pageBytes = 65_536;
/** What is larger is not worth the copy that would put it beside others. */
const largeBytes = 16_384;

/** What is used of the client's own parts, in the place of which these stand. */
interface ClientChannel {
  readonly ch?: unknown;
  readonly connection?: ClientConnection;
}
interface ClientConnection {
  readonly stream?: { write?(bytes: Uint8Array): unknown };
  readonly frameMax?: unknown;
  readonly channels?: ({ buffer?: FrameBuffer } | null)[];
}
/** Where the client puts the frames of a channel. */
interface FrameBuffer {
  write(frame: Uint8Array): boolean;
  end(): void;
}

/**
 * The frames of all channels of a connection, written together. The client writes each by itself, through two streams:
 * a call of the system for each message, and as much again for what lies between. See docs/performance.md.
 */
class Wire {
  readonly #write: (bytes: Uint8Array) => unknown;
  #page: NodeBuffer = newPage();
  /** What of the page is not written yet. */
  #start = 0;
  #end = 0;
  #scheduled = false;
  readonly #flush = (): void => {
    this.#scheduled = false;
    this.#send();
  };

  constructor(write: (bytes: Uint8Array) => unknown) {
    this.#write = write;
  }

  /** Takes a frame. */
  add(frame: Uint8Array): void {
    if (frame.byteLength > largeBytes) {
      this.#send();
      this.#write(frame);
      return;
    }
    this.#reserve(frame.byteLength);
    this.#page.set(frame, this.#end);
    this.#end += frame.byteLength;
    this.#schedule();
  }

  /** Takes a message; false: it is the client's to write. */
  publish(channel: number, publication: Publication, frameMax: number): boolean {
    const bytes = publicationBytes(publication, frameMax);
    if (bytes === undefined || bytes > largeBytes) return false;
    this.#reserve(bytes);
    this.#end = writePublication(this.#page, this.#end, channel, publication, frameMax);
    this.#schedule();
    return true;
  }

  /** Room for so many, in one piece. What was written may still be on its way, so its bytes are not used again. */
  #reserve(bytes: number): void {
    if (this.#end + bytes <= pageBytes) return;
    this.#send();
    this.#page = newPage();
    this.#start = this.#end = 0;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(this.#flush);
  }

  #send(): void {
    if (this.#start === this.#end) return;
    const bytes = this.#page.subarray(this.#start, this.#end);
    this.#start = this.#end;
    this.#write(bytes);
  }
}

/** Not filled with zeros: only what has been written over leaves it. Not of the runtime's pool, which has other sizes. */
function newPage(): NodeBuffer {
  return NodeBuffer.allocUnsafeSlow(pageBytes);
}

/** The wires of connections. */
const wires = new WeakMap<ClientConnection, Wire>();

/** One channel's way onto the wire. */
export class ChannelWire {
  readonly #wire: Wire;
  readonly #channel: number;
  readonly #frameMax: number;
  #ended = false;

  private constructor(wire: Wire, channel: number, frameMax: number) {
    this.#wire = wire;
    this.#channel = channel;
    this.#frameMax = frameMax;
  }

  /**
   * Takes over the frames of a channel that has just been opened. A client whose parts are others than those known here
   * keeps them and goes on writing as it does: `undefined`.
   */
  static take(channel: Channel): ChannelWire | undefined {
    const { ch, connection } = channel as ClientChannel;
    if (typeof ch !== "number" || connection === undefined) return undefined;
    const { stream, frameMax, channels } = connection;
    const entry = channels?.[ch];
    if (typeof stream?.write !== "function" || typeof entry?.buffer?.write !== "function") return undefined;
    if (typeof frameMax !== "number" || !(frameMax >= 4_096)) return undefined;
    let wire = wires.get(connection);
    if (wire === undefined) wires.set(connection, wire = new Wire((bytes) => stream.write?.(bytes)));
    const own = new ChannelWire(wire, ch, frameMax);
    const before = entry.buffer;
    entry.buffer = {
      write: (frame) => {
        own.#wire.add(frame);
        return true; // how much may be under way, confirms and credit say
      },
      end: () => own.#ended = true,
    };
    before.end(); // it is empty: what opened the channel has been answered
    return own;
  }

  /** Publishes; false: the client is to do it, as the message is unusual or the channel has ended. */
  publish(publication: Publication): boolean {
    return !this.#ended && this.#wire.publish(this.#channel, publication, this.#frameMax);
  }
}
