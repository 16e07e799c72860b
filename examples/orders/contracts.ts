/** What the order service is told, asked and tells. */
import { command, event, query } from "@hero/messaging";

export interface PlaceOrder {
  readonly orderId: string;
  readonly totalInCents: number;
}
/** What is about one order is handled one after the other. */
const key = ({ orderId }: { readonly orderId: string }): string => orderId;

/** A customer wants something. */
export const PlaceOrder = command<PlaceOrder>("shop.place-order", { key });

export interface OfOrder {
  readonly orderId: string;
}
/** A customer pays: the answer says whether that was in time. */
export const PayOrder = command<OfOrder, { readonly paid: boolean }>("shop.pay-order", { key });
/** The time to pay is over. The service schedules it for itself. */
export const CloseUnpaid = command<OfOrder>("shop.close-unpaid", { key });

/** What becomes of an order: those of one order are told in the order in which they came true. */
export const OrderPlaced = event<OfOrder>("shop.order-placed", { key });
export const OrderPaid = event<OfOrder>("shop.order-paid", { key });
export const OrderClosed = event<OfOrder>("shop.order-closed", { key });

/** How an order stands. */
export type Status = "placed" | "paid" | "closed" | "unknown";
export const GetOrder = query<OfOrder, { readonly status: Status }>("shop.get-order");
