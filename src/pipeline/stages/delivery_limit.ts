/** Gives up on messages that come again and again without an outcome. @module */
import { DeliveryLimitError } from "../../errors/receiving.ts";
import type { Stage } from "../stage.ts";

/** How often a message may come, by the broker's count, without an outcome: it may be what kills its process. */
const mostDeliveries = 10;

/** Fails, unhandled, a message that has come ten times before without an outcome. */
export const deliveryLimit: Stage = {
  name: "delivery limit",
  around: (next) => (consumption) => {
    const count = consumption.delivery.deliveryCount;
    if (count === undefined || count <= mostDeliveries) return next(consumption);
    throw new DeliveryLimitError(consumption.services.name, count - 1);
  },
};
