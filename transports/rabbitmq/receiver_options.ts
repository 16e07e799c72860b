/** What a receiver is made of. @module */
import type { Channel } from "amqplib";
import type { Host } from "../../src/spi/transport.ts";
import type { Connection } from "./connection.ts";
import type { PostponingServices } from "./postponing.ts";
import type { StreamOffset } from "./queue_options.ts";
import type { CopyServices } from "./settling.ts";

/** What a receiver asks of its transport. */
export interface ReceiverServices extends PostponingServices {
  readonly copies: CopyServices;
  readonly host: Host;
  readonly connection: Connection;
  /** Epoch milliseconds. */
  now(): number;
  /**
   * Makes the queue, where it lives as long as the receiver; makes a durable one again if it was deployed.
   *
   * @param isAnother whether it may have been deleted, even if it is there
   */
  declare(channel: Channel, isAnother: boolean): Promise<void>;
  /** The queue is to be gone, where it lives as long as the receiver. */
  remove(channel: Channel): Promise<void>;
  /** The receiver has ended for good. */
  ended(): void;
  /** It cannot consume, or put off what has come too early; or it can again. */
  troubled(cause: Error | undefined): void;
}

/** What differs from receiver to receiver. */
export interface ReceiverOptions {
  readonly queue: string;
  /** As senders know it: a part of a queue has a name of its own. */
  readonly named: string;
  readonly credit: number;
  readonly ordered: boolean;
  /** Whether the queue counts deliveries. */
  readonly counts: boolean;
  /** After how long the broker takes back what is not settled, as far as is known. */
  readonly timeoutInMs: number;
  readonly priority: number | undefined;
  readonly exclusive: boolean;
  /** Of a stream: where to begin, as the broker takes it. */
  readonly offset: StreamOffset | undefined;
}
