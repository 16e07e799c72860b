/** Chance, injected. @module */

/** Gives a number in [0, 1), as `Math.random` does. */
export type Random = () => number;

/**
 * Numbers that follow from a seed: the same seed gives the same ones on every runtime. Not for secrets.
 *
 * Chris Doty-Humphrey's sfc32 (PractRand 0.95, https://pracrand.sourceforge.net), its state from the seed and the
 * twelve first results dropped as there.
 *
 * @param seed any number; its 64 bits count, so that neighbours and fractions give different numbers
 */
export function seededRandom(seed: number): Random {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, seed);
  let a = 0;
  let b = bits.getInt32(4);
  let c = bits.getInt32(0);
  let counter = 1;
  const next = (): number => {
    const result = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + result) | 0;
    return (result >>> 0) / 0x1_0000_0000;
  };
  for (let skipped = 0; skipped < 12; skipped++) next();
  return next;
}

/** Fills arrays with bytes from numbers: where chance is injected but bytes are wanted. */
export function randomBytes(random: Random): (bytes: Uint8Array) => void {
  return (bytes) => {
    for (let at = 0; at < bytes.length; at += 4) {
      let word = Math.floor(random() * 0x1_0000_0000);
      for (let to = at; to < at + 4 && to < bytes.length; to++, word >>>= 8) bytes[to] = word & 255;
    }
  };
}
