/** Remembers what this process has given back without having started it. @module */
import { headerText, names } from "../envelope/headers.ts";
import type { Delivery } from "../spi/transport.ts";
import { referred } from "./reference.ts";

/** Those given back longest ago are forgotten first: a message is then given up a little too early. */
const mostKept = 10_000;

/**
 * How often an endpoint has given messages back that it had not started, as it was paused. A broker counts that as a
 * delivery like any other, but it says nothing against the message: see the delivery limit.
 */
export class Releases {
  readonly #counts = new Map<string, number>();

  /** Counts one. */
  add(delivery: Delivery): void {
    const id = idOf(delivery);
    if (id === undefined) return;
    this.#counts.set(id, (this.#counts.get(id) ?? 0) + 1);
    if (this.#counts.size <= mostKept) return;
    for (const oldest of this.#counts.keys()) return void this.#counts.delete(oldest);
  }

  /** How often it was given back. */
  of(delivery: Delivery): number {
    if (this.#counts.size === 0) return 0;
    const id = idOf(delivery);
    return id === undefined ? 0 : this.#counts.get(id) ?? 0;
  }

  /** It has had an outcome. */
  forget(delivery: Delivery): void {
    if (this.#counts.size === 0) return;
    const id = idOf(delivery);
    if (id !== undefined) this.#counts.delete(id);
  }
}

function idOf({ frame }: Delivery): string | undefined {
  return referred(frame)?.envelope.messageId ?? headerText(frame.headers[names.id]);
}
