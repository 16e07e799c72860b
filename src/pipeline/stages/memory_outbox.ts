/** Holds back what handlers send until they have succeeded. @module */
import { isPromise } from "../../values/awaitable.ts";
import { HeldMessages } from "../held_messages.ts";
import type { Stage } from "../stage.ts";

/**
 * Holds back what handlers send until they have succeeded, and drops it when they throw. Nothing is stored: a crash
 * between the handler's own effects and the sending loses the messages, until the message comes again.
 */
export const memoryOutbox: Stage = {
  name: "outbox in memory",
  around: (next) => (consumption) => {
    // What it would hold back is the unit's already.
    if (consumption.unit !== undefined) return next(consumption);
    const { outbound } = consumption.services;
    const held = new HeldMessages();
    consumption.target = held;
    // What an attempt before held back, an answer among it, was dropped with it: all handlers run again.
    consumption.responded = false;
    consumption.nextReading = 0;
    const letGo = () => {
      // Whoever has the message now sends what follows from it.
      if (consumption.lost) return;
      consumption.target = outbound;
      return held.letGo(outbound);
    };
    const result = next(consumption);
    return isPromise(result) ? result.then(letGo) : letGo();
  },
};
