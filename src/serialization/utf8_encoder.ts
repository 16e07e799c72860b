/** Text as bytes, cheaply. @module */

/** What short texts are cut from. */
const slabBytes = 32 * 1024;
/** A longer text has a buffer of its own: what is left of a slab is lost with it. */
const mostPooledBytes = slabBytes / 4;
/** A UTF-16 unit takes at most three bytes. */
const mostBytesPerUnit = 3;
/** Up to so many letters are put there faster one by one than by a call of the encoder. */
const fewLetters = 48;

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
    return this.#encodeAscii(text) ?? this.#encodeAny(text, most);
  }

  /** Most text takes a byte a letter, so that one view is both the room for it and what is handed out. */
  #encodeAscii(text: string): Uint8Array | undefined {
    const { length } = text;
    if (length <= fewLetters) {
      const slab = this.#slab;
      for (let at = 0, to = this.#used; at < length; at++, to++) {
        const letter = text.charCodeAt(at);
        if (letter > 0x7f) return undefined;
        slab[to] = letter;
      }
      return this.#take(length);
    }
    const bytes = new Uint8Array(this.#slab.buffer, this.#used, length);
    if (this.#encoder.encodeInto(text, bytes).read < length) return undefined;
    this.#used += length;
    return bytes;
  }

  #encodeAny(text: string, most: number): Uint8Array {
    const room = new Uint8Array(this.#slab.buffer, this.#used, most);
    return this.#take(this.#encoder.encodeInto(text, room).written);
  }

  #take(length: number): Uint8Array {
    const bytes = new Uint8Array(this.#slab.buffer, this.#used, length);
    this.#used += length;
    return bytes;
  }
}
