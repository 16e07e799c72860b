/** What the parts of a transport share. @module */
import type { Messages } from "./messages.ts";
import type { News } from "./news.ts";
import type { Taking } from "./offers.ts";
import type { Entities } from "./topology.ts";
import type { QueueDatabase } from "./transacting.ts";

/** What is tried again waits so long, in milliseconds. */
export const retryMs = 250;

/** A transport that is open. */
export interface Services {
  readonly database: QueueDatabase;
  readonly entities: Entities;
  readonly messages: Messages;
  /** To whom messages may be handed at once. */
  readonly receivers: Iterable<Taking>;
  /** What is on its way back, also of receivers that hold nothing any more: closing waits for it. */
  readonly giving: Set<Promise<void>>;
  /** Who waits for an answer for longer than a lease lasts: as long as there is one, nothing else makes it well. */
  readonly silent: Set<Taking>;
  /** How long a lease lasts that is not renewed, in milliseconds. */
  readonly leaseMs: number;
  /** How often is looked, though nobody says that there is anything. */
  readonly pollMs: number;
  /** Tells receivers, of this process and of others, what a commit has brought. */
  announce(news: News): void;
  /** Something could not be read or written, and is tried again. */
  failed(error: unknown): void;
  /** What was tried again has worked. */
  worked(): void;
  /** Waits so many milliseconds, or until the transport closes. */
  pause(ms: number): Promise<void>;
}
