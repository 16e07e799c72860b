/** The contracts of a small shop, with nothing cast and nothing that is `any`: they must compile. */
import { command, event, query, type Schema, type Store, type } from "@hero/messaging";

// ---- Contracts: the interface and the contract share a name, so that errors and hovers speak of `OrderSubmitted`.

export interface OrderEvent {
  orderId: string;
}
export const OrderEvent = event<OrderEvent>("orders.order-event");

export interface OrderSubmittedV1 extends OrderEvent {
  total: number;
}
export const OrderSubmittedV1 = event<OrderSubmittedV1>("orders.order-submitted");
export interface OrderSubmitted extends OrderSubmittedV1 {
  currency: "EUR" | "USD";
}
export const OrderSubmitted = event<OrderSubmitted>("orders.order-submitted", {
  version: 2,
  extends: OrderEvent,
  key: (m) => m.orderId,
  ttl: "1d",
}).upcast(OrderSubmittedV1, (old) => ({ ...old, currency: "EUR" }));

export interface SubmitOrder {
  orderId: string;
  total: number;
}
export const SubmitOrder = command<SubmitOrder>("orders.submit-order", {
  key: (m) => m.orderId,
  to: "queue:orders",
});

export interface Order {
  orderId: string;
  status: "new" | "paid" | "shipped";
}
export const GetOrder = query<{ orderId: string }, Order>("orders.get-order");

/** Several named replies: everything is inferred from the options, so the message's type goes there too. */
export const OrderFound = event<Order>("orders.order-found");
export const OrderMissing = event<{ orderId: string; since?: Date }>("orders.order-missing");
export const FindOrder = query("orders.find-order", {
  schema: type<{ orderId: string }>(),
  replies: { found: OrderFound, missing: OrderMissing },
});

/** A Standard Schema (here a stand-in for `z.object(…)`) that turns an ISO string into a Date. */
declare const shipmentSchema: Schema<{ orderId: string; at: string }, { orderId: string; at: Date }>;
export const ShipOrder = command("orders.ship-order", { schema: shipmentSchema, key: (m) => m.orderId });
export const Ping = command("ping");

export const PaymentReceived = event<{ orderId: string; paymentId: string }>("payments.received");
export const PaymentFailed = event<{ orderId: string; reason: string }>("payments.failed");
export const OrderAccepted = event<{ orderId: string; channel: "web" | "shop" }>("orders.accepted");
export const OrderCancelled = event<{ orderId: string; reason: string }>("orders.cancelled");
export const OrderCompleted = event<OrderEvent>("orders.completed");
export const PaymentRefunded = event<{ paymentId: string }>("payments.refunded");
export const RefundPayment = command<{ paymentId: string; amount: number }>("payments.refund");
export const CheckAddress = query<{ orderId: string }, { ok: boolean; zip: string }>("addresses.check");
export const GetOrderState = query<{ orderId: string }, { state: string }>("orders.get-state");
export class CardError extends Error {
  readonly bank: string = "";
}

/** The transaction of its store: `ctx.tx` inside of `outbox: true` endpoints. */
export interface Sql {
  (query: TemplateStringsArray, ...values: readonly unknown[]): Promise<readonly Record<string, unknown>[]>;
}
export declare const store: Store<Sql>;
