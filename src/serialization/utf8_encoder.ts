/** Text as bytes, cheaply. @module */

/** What short texts are cut from. */
const slabBytes = 32 * 1024;
/** A longer text has a buffer of its own: what is left of a slab is lost with it. */
const mostPooledBytes = slabBytes / 4;
/** A UTF-16 unit takes at most three bytes. */
const mostBytesPerUnit = 3;

/**
 * Encodes text as UTF-8. Short texts share buffers, as V8 takes several microseconds to make one, which is more than
 * the rest of a small message costs. No bytes are handed out twice.
 */
export class Utf8Encoder {
  readonly #encoder = new TextEncoder();
  #slab = new Uint8Array(0);
  #used = 0;

  /** The bytes of `text`: a view, which may be part of a larger buffer. */
  encode(text: string): Uint8Array {
    const most = text.length * mostBytesPerUnit;
    if (most > mostPooledBytes) return this.#encoder.encode(text);
    if (this.#used + most > this.#slab.length) {
      this.#slab = new Uint8Array(slabBytes);
      this.#used = 0;
    }
    const room = new Uint8Array(this.#slab.buffer, this.#used, most);
    const { written } = this.#encoder.encodeInto(text, room);
    const bytes = new Uint8Array(this.#slab.buffer, this.#used, written);
    this.#used += written;
    return bytes;
  }
}
