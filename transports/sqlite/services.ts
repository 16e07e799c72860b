/** What the parts of a transport share. @module */
import type { Session } from "../../stores/sqlite/due.ts";
import type { Messages } from "./messages.ts";
import type { News } from "./news.ts";
import type { Entities } from "./topology.ts";

/** What is tried again waits so long, in milliseconds. */
export const retryMs = 250;

/** A transport that is open. */
export interface Services {
  readonly session: Session;
  readonly entities: Entities;
  readonly messages: Messages;
  /** How long a lease lasts that is not renewed, in milliseconds. */
  readonly leaseMs: number;
  /** Tells receivers of this process what a commit has brought. */
  announce(news: News): void;
  /** Something could not be read or written, and is tried again. */
  failed(error: unknown): void;
  /** What was tried again has worked. */
  worked(): void;
  /** Lets the event loop turn: SQLite answers within the call, so that work on it alone would never end the turn. */
  turn(): Promise<void>;
  /** Waits so many milliseconds, or until the transport closes. */
  pause(ms: number): Promise<void>;
}
