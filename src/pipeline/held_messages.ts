/** Messages that wait for the success of what sends them. @module */
import type { OutgoingMessage, SendTarget } from "./outgoing_message.ts";

/** Messages that wait for the success of what sends them; without it they are dropped with this. */
export class HeldMessages implements SendTarget {
  readonly holds = true;
  readonly #messages: OutgoingMessage[] = [];
  /** Where they went: what comes late follows them. */
  #gone: SendTarget | undefined;

  enqueue(message: OutgoingMessage): void {
    if (this.#gone === undefined) this.#messages.push(message);
    else this.#gone.enqueue(message);
  }

  /** Lets them go, in order; resolves when the broker has all, rejects when it does not take one. */
  letGo(to: SendTarget): void | Promise<void> {
    this.#gone = to;
    if (this.#messages.length === 0) return;
    for (const message of this.#messages) to.enqueue(message);
    return Promise.all(this.#messages.map(({ done }) => done)).then(() => {});
  }
}
