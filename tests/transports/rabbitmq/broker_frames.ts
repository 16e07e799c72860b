/** Frames of AMQP, as a wire sees them: what tests look for in what a broker sends. */

/** A method of the class basic: the broker takes a consumer away. */
export const cancel = 30;
/** It hands a message out. */
export const deliver = 60;
/** It confirms one. */
export const confirm = 80;

/** The method of a frame of the class basic, if a piece begins with one. */
function methodOf(chunk: Uint8Array): number | undefined {
  return chunk[0] === 1 && chunk[7] === 0 && chunk[8] === 60 && chunk[9] === 0 ? chunk[10] : undefined;
}

/** The first frame with a method of the class basic, wherever it is in a piece that begins with a frame. */
export function frameWith(method: number, chunk: Uint8Array): Uint8Array | undefined {
  for (let at = 0; at + 11 <= chunk.length;) {
    const frame = chunk.subarray(at);
    if (methodOf(frame) === method) return frame;
    at += sizeOf(frame);
  }
  return undefined;
}

/** How many bytes a frame has, of which this is the begin. */
export function sizeOf(frame: Uint8Array): number {
  return 8 + new DataView(frame.buffer, frame.byteOffset).getUint32(3);
}

/** An acknowledgement of what was never delivered, on the channel of a frame. */
export function unknownTag([, high = 0, low = 0]: Uint8Array): Uint8Array {
  return Uint8Array.of(1, high, low, 0, 0, 0, 13, 0, 60, 0, 80, 0, 0, 0, 0, 0, 0, 0x12, 0x67, 0, 0xce);
}
