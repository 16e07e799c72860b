/** What the parts of the shop say to each other. */
import { command, event } from "@hero/messaging";

export interface OfOrder {
  readonly orderId: string;
}
export interface SubmitOrder extends OfOrder {
  readonly totalInCents: number;
  /** `good`, `declined`, or `slow`: its owner pays in his own time, or never. */
  readonly card: string;
  readonly article: string;
}
/** What is about one order is handled one after the other. */
const key = ({ orderId }: OfOrder): string => orderId;

/** A customer wants something, or no longer. */
export const OrderSubmitted = event<SubmitOrder>("shop.order-submitted", { key });
export const OrderWithdrawn = event<OfOrder>("shop.order-withdrawn", { key });

/** What becomes of an order. */
export const OrderCompleted = event<OfOrder>("shop.order-completed", { key });
export const OrderCancelled = event<OfOrder & { readonly reason: string }>("shop.order-cancelled", { key });

/** Of the payment service. */
export const ChargeCard = command<SubmitOrder>("payments.charge-card", { key });
export const RefundPayment = command<OfOrder & { readonly cents: number }>("payments.refund", { key });
export const PaymentReceived = event<OfOrder & { readonly cents: number }>("payments.received", { key });
export const PaymentDeclined = event<OfOrder>("payments.declined", { key });

/** Of the warehouse: the answer says whether there is one left. */
export const ReserveArticle = command<OfOrder & { readonly article: string }, { readonly reserved: boolean }>(
  "warehouse.reserve",
  { key },
);
export const ReleaseArticle = command<OfOrder>("warehouse.release", { key });
