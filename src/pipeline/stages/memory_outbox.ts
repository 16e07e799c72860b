/** Holds back what handlers send until they have succeeded. @module */
import { isPromise } from "../../values/awaitable.ts";
import type { Consumption } from "../consumption.ts";
import type { OutgoingMessage, SendTarget } from "../outgoing_message.ts";
import type { Stage } from "../stage.ts";

/** The messages of one attempt. */
class Held implements SendTarget {
  readonly holds = true;
  readonly messages: OutgoingMessage[] = [];

  enqueue(message: OutgoingMessage): void {
    this.messages.push(message);
  }
}

/**
 * Holds back what handlers send until they have succeeded, and drops it when they throw. Nothing is stored: a crash
 * between the handler's own effects and the sending loses the messages, until the message comes again.
 */
export const memoryOutbox: Stage = {
  name: "outbox in memory",
  around: (next) => (consumption) => {
    const held = new Held();
    consumption.target = held;
    const result = next(consumption);
    return isPromise(result) ? result.then(() => letGo(consumption, held)) : letGo(consumption, held);
  },
};

function letGo(consumption: Consumption, { messages }: Held): void | Promise<void> {
  const { outbound } = consumption.services;
  consumption.target = outbound;
  if (messages.length === 0) return;
  for (const message of messages) outbound.enqueue(message);
  return Promise.all(messages.map(({ done }) => done)).then(() => {});
}
