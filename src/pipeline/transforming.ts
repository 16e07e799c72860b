/** Changes frames on their way to the transport. @module */
import { toError } from "../errors/thrown.ts";
import type { FrameTransform } from "../spi/frame_transform.ts";
import type { OutgoingMessage, SendTarget } from "./outgoing_message.ts";

/** Applies a bus' transforms to what it sends, one message after the other: none passes another by being quicker. */
export class Transforming implements SendTarget {
  readonly holds = false;
  readonly #transforms: readonly FrameTransform[];
  readonly #to: SendTarget;
  #last: Promise<void> = Promise.resolve();
  #pending = 0;

  constructor(transforms: readonly FrameTransform[], to: SendTarget) {
    this.#transforms = transforms;
    this.#to = to;
  }

  /** Messages that are being changed. */
  get pending(): number {
    return this.#pending;
  }

  enqueue(message: OutgoingMessage): void {
    // A copy is of what came, which was changed by its sender.
    if (message.copy) return this.#to.enqueue(message);
    this.#pending++;
    this.#last = this.#last.then(() => this.#pass(message)).finally(() => this.#pending--);
  }

  async #pass(message: OutgoingMessage): Promise<void> {
    try {
      let { frame } = message;
      for (const transform of this.#transforms) frame = await transform.apply(frame);
      message.reframe(frame);
      this.#to.enqueue(message);
    } catch (thrown) {
      message.settled(toError(thrown));
    }
  }

  /** Resolves when none is being changed. */
  async drained(): Promise<void> {
    while (this.#pending > 0) await this.#last;
  }
}
