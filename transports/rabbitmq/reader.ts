/** How frames come from the socket. @module */
import type { Channel, ChannelModel } from "amqplib";
import { Buffer as NodeBuffer } from "node:buffer"; // what the client reads with
import { type ClientFrame, type ClientMessage, readFrame, readWhole } from "./decoding.ts";

/** What is used of the client's own parts, in the place of which this stands. */
interface ClientConnection {
  recvFrame?: () => ClientFrame | false;
  recvSinceLastCheck?: boolean;
  rest?: NodeBuffer;
  readonly maxFrameSize?: unknown;
  readonly stream?: { read?(): NodeBuffer | null };
  readonly channels?: readonly ({ readonly channel?: object } | null)[];
}
/** What a client's channel does with the next frame of a message; it gives what it does with the one after that. */
type Accept = (this: ClientChannel, frame: ClientFrame) => Accept;
interface ClientChannel {
  handleMessage?: Accept;
  handleDelivery?(message: ClientMessage): unknown;
}

/** What a frame has besides its payload, and the last of that. */
const frameBytes = 8;
const frameEnd = 0xce;
const nothing = NodeBuffer.alloc(0);

/** What channels do that take whole messages. */
const accepting = new WeakSet<Accept>();

/**
 * Lets a channel that has just been opened take a message as one, where all of it has come: the client makes three frames
 * of it, and a closure for each. Where the client has put something else in its place (`get`), it is as if it had never
 * been.
 */
export function takeWhole(channel: Channel): void {
  const client = channel as ClientChannel;
  if (typeof client.handleMessage !== "function" || typeof client.handleDelivery !== "function") return;
  let next = client.handleMessage;
  const accept: Accept = (frame) => {
    if (frame.message === undefined) next = next.call(client, frame);
    else client.handleDelivery?.(frame.message);
    return accept;
  };
  accepting.add(accept);
  client.handleMessage = accept;
}

/**
 * Lets the frames of messages and confirms be read where they lie: the client makes nine views of bytes for each
 * message. All else, it reads itself; and one whose parts are others than those known here reads everything.
 */
export function readQuickly(model: ChannelModel): void {
  const { connection } = model as { readonly connection?: ClientConnection };
  const client = connection?.recvFrame;
  const stream = connection?.stream;
  if (connection === undefined || typeof client !== "function" || typeof stream?.read !== "function") return;
  if (!NodeBuffer.isBuffer(connection.rest) || typeof connection.maxFrameSize !== "number") return;
  let bytes = connection.rest;
  let at = 0;
  connection.rest = nothing;

  /** The client's own way, for what it alone knows: an error, too. */
  const byClient = (frame: NodeBuffer): ClientFrame | false => {
    connection.rest = frame;
    try {
      return client.call(connection);
    } finally {
      connection.rest = nothing;
    }
  };

  const { maxFrameSize } = connection;
  connection.recvFrame = () => {
    for (;;) {
      const left = bytes.byteLength - at;
      if (left >= frameBytes) {
        const size = bytes.readUInt32BE(at + 3);
        if (maxFrameSize > 0 && size > maxFrameSize) return byClient(bytes.subarray(at));
        const end = at + size + frameBytes;
        if (bytes.byteLength >= end) {
          const begin = at;
          at = end;
          const frame = bytes[end - 1] === frameEnd ? readFrame(bytes, begin, size) : undefined;
          if (frame === undefined) return byClient(bytes.subarray(begin, end));
          const channel: ClientChannel = connection.channels?.[frame.channel]?.channel ?? {};
          if (channel.handleMessage === undefined || !accepting.has(channel.handleMessage)) return frame;
          const whole = readWhole(bytes, frame, end);
          if (whole === undefined) return frame;
          at = whole.end;
          return whole.frame;
        }
      }
      const incoming = stream.read?.() ?? null;
      if (incoming === null) return false;
      connection.recvSinceLastCheck = true;
      bytes = left === 0 ? incoming : NodeBuffer.concat([bytes.subarray(at), incoming]);
      at = 0;
    }
  };
}
