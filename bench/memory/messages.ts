/** The messages, as `bench/README.md` describes them. @module */

/** A line of an {@linkcode Order}. */
export interface OrderLine {
  readonly sku: string;
  readonly quantity: number;
  readonly price: number;
}
/** 1 KB as JSON. */
export interface Order {
  readonly orderId: string;
  readonly customer: string;
  readonly total: number;
  readonly lines: readonly OrderLine[];
}
/** What the C# programs send, too: an id, 200 letters, a time stamp. */
export interface Text {
  readonly id: string;
  readonly payload: string;
  readonly stamp: number;
}

/** An order with 20 lines. */
export function order(i: number): Order {
  return {
    orderId: `order-${1_000_000 + i}`,
    customer: "customer-000042",
    total: 4189.5,
    lines: Array.from({ length: 20 }, (_, line) => ({ sku: `sku-${100 + line}`, quantity: line + 1, price: 19.95 })),
  };
}

const PAYLOAD = "x".repeat(200);

/** A text of its own id. */
export function text(stamp = 0): Text {
  return { id: crypto.randomUUID(), payload: PAYLOAD, stamp };
}
