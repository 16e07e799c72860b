/** A thousand customers, of whom each has a fate. */
import type { Bus } from "@hero/messaging";
import { OrderSubmitted, OrderWithdrawn, type SubmitOrder } from "./contracts.ts";

/** What may become of an order. One that is withdrawn may have been completed before. */
export type Fate = "good" | "sold out" | "declined" | "not paid" | "withdrawn";

/** An order, and what is to become of it. */
export interface Customer {
  readonly order: SubmitOrder;
  readonly fate: Fate;
}

const fates: readonly Fate[] = [
  ...Array.from({ length: 12 }, () => "good" as const),
  "sold out",
  "sold out",
  "declined",
  "declined",
  "not paid",
  "not paid",
  "withdrawn",
  "withdrawn",
];

/** As many as asked for, of every fate some. Their order ids begin with `prefix`. */
export function customers(prefix: string, count: number): readonly Customer[] {
  return Array.from({ length: count }, (_, at) => {
    const fate = fates[at % fates.length] ?? "good";
    return {
      fate,
      order: {
        orderId: `${prefix}${String(at).padStart(5, "0")}`,
        totalInCents: 1_000 + at * 37 % 9_000,
        card: fate === "declined" ? "declined" : fate === "not paid" ? "slow" : "good",
        article: fate === "sold out" ? "unicorn" : "lamp",
      },
    };
  });
}

/** Sends all that they want, fifty at a time. */
export async function submit<Tx>(bus: Bus<Tx>, all: readonly Customer[]): Promise<void> {
  for (let at = 0; at < all.length; at += 50) {
    await Promise.all(
      all.slice(at, at + 50).map(async ({ order, fate }) => {
        await bus.publish(OrderSubmitted, order);
        if (fate === "withdrawn") await bus.publish(OrderWithdrawn, order);
      }),
    );
  }
}
