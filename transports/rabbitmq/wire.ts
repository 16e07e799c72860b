/** How frames get onto the socket. @module */
import type { Channel } from "amqplib";
import { Buffer } from "node:buffer";

/** Frames of that size are not worth the copy that would put them beside others. */
const largeBytes = 32_768;

/** What is used of the client's own parts, in the place of which these stand. */
interface ChannelInternals {
  readonly ch?: unknown;
  readonly connection?: {
    readonly stream?: { write?(bytes: Uint8Array): unknown };
    readonly channels?: ({ buffer?: FrameBuffer } | null)[];
  };
}
/** Where the client puts the frames of a channel. */
interface FrameBuffer {
  write(frame: Buffer): boolean;
  end(): void;
}

/**
 * The frames of all channels of a connection that are written in one go. The client writes each by itself, through two
 * streams: a call of the system for each message, which is a third of what a message costs it.
 */
export class Wire {
  readonly #write: (bytes: Uint8Array) => unknown;
  #frames: Buffer[] = [];
  #bytes = 0;
  #scheduled = false;
  readonly #flush = (): void => {
    this.#scheduled = false;
    this.#send();
  };
  readonly #buffer: FrameBuffer = {
    write: (frame) => {
      this.#add(frame);
      return true; // how much may be under way, confirms and credit say
    },
    end: () => {},
  };

  constructor(write: (bytes: Uint8Array) => unknown) {
    this.#write = write;
  }

  /**
   * Takes over the frames of a channel that has just been opened. A client whose parts are others than those known here
   * keeps them, and goes on writing as it does.
   */
  static take(channel: Channel, wires: WeakMap<object, Wire>): void {
    const { ch, connection } = channel as ChannelInternals;
    const stream = connection?.stream;
    const entry = typeof ch === "number" ? connection?.channels?.[ch] : undefined;
    if (connection === undefined || typeof stream?.write !== "function" || typeof entry?.buffer?.write !== "function") {
      return;
    }
    let wire = wires.get(connection);
    if (wire === undefined) wires.set(connection, wire = new Wire((bytes) => stream.write?.(bytes)));
    const before = entry.buffer;
    entry.buffer = wire.#buffer;
    before.end(); // it is empty: what opened the channel has been answered
  }

  #add(frame: Buffer): void {
    if (frame.byteLength >= largeBytes) {
      this.#send();
      this.#write(frame);
      return;
    }
    this.#frames.push(frame);
    this.#bytes += frame.byteLength;
    if (this.#bytes >= largeBytes) this.#send();
    else if (!this.#scheduled) {
      this.#scheduled = true;
      queueMicrotask(this.#flush);
    }
  }

  #send(): void {
    const frames = this.#frames;
    if (frames.length === 0) return;
    const [first] = frames;
    this.#write(frames.length === 1 && first !== undefined ? first : Buffer.concat(frames, this.#bytes));
    this.#frames = [];
    this.#bytes = 0;
  }
}
