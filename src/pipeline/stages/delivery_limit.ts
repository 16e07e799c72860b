/** Gives up on messages that come again and again without an outcome. @module */
import { DeliveryLimitError } from "../../errors/receiving.ts";
import type { Consumption } from "../consumption.ts";

/** How often a message may come, by the broker's count, without an outcome: it may be what kills its process. */
const mostDeliveries = 10;

/**
 * What this process gave back without having started it does not count: the broker cannot tell, this endpoint can.
 *
 * @throws {DeliveryLimitError} for a message that has come ten times before without an outcome: it is not handled
 */
export function checkDeliveries({ delivery: { deliveryCount }, released, services }: Consumption): void {
  if (deliveryCount === undefined || deliveryCount - released <= mostDeliveries) return;
  throw new DeliveryLimitError(services.name, deliveryCount - released - 1);
}
