/** The shop: the saga, and the services that it talks to. Each could be a process of its own. */
import { type Bus, type BusObserver, createBus, type Transport } from "@hero/messaging";
import {
  ChargeCard,
  OrderCancelled,
  OrderCompleted,
  PaymentDeclined,
  PaymentReceived,
  RefundPayment,
  ReleaseArticle,
  ReserveArticle,
} from "./contracts.ts";
import type { Database } from "./database.ts";
import { OrderSaga } from "./order_saga.ts";
import { addOutcome, addPayment, addStock, createTables, stockOf } from "./tables.ts";

/** A start waits for a database or broker that is away: else nobody would know for what. */
const told: BusObserver = {
  status: ({ name, state, cause }) => {
    if (state !== "up") console.error(`${name} is ${state}: ${cause?.message}`);
  },
};

/** Opens the office: it sends, and reads. Its tables are there before the first order comes. */
export async function openOffice<Tx>({ store, sql }: Database<Tx>, transport: Transport): Promise<Bus<Tx>> {
  const bus = createBus({ name: "office", store, transport });
  bus.observe(told);
  await bus.start();
  await bus.transaction((tx) => createTables(sql(tx)));
  return bus;
}

/** Starts all that the shop consists of. */
export async function startShop<Tx>({ store, sql }: Database<Tx>, transport: Transport): Promise<Bus<Tx>> {
  const bus = createBus({ name: "shop", store, transport });
  bus.observe(told);
  bus.add(OrderSaga, { concurrency: 16 });

  // What a message does here is one commit: the row, what is sent, and that the message was handled.
  bus.endpoint("payments", { outbox: true })
    .handle(ChargeCard, async ({ orderId, totalInCents, card }, ctx) => {
      if (card === "slow") return;
      if (card === "declined") return await ctx.publish(PaymentDeclined, { orderId });
      await addPayment(sql(ctx.tx), orderId, totalInCents);
      await ctx.publish(PaymentReceived, { orderId, cents: totalInCents });
    })
    .handle(RefundPayment, ({ orderId, cents }, ctx) => addPayment(sql(ctx.tx), orderId, -cents));

  bus.endpoint("warehouse", { outbox: true })
    .handle(ReserveArticle, async ({ orderId, article }, ctx) => {
      if (article === "unicorn") return { reserved: false };
      await addStock(sql(ctx.tx), orderId, 1);
      return { reserved: true };
    })
    .handle(ReleaseArticle, async ({ orderId }, ctx) => {
      if (await stockOf(sql(ctx.tx), orderId) > 0) await addStock(sql(ctx.tx), orderId, -1);
    });

  bus.endpoint("books", { outbox: true })
    .handle(OrderCompleted, ({ orderId }, ctx) => addOutcome(sql(ctx.tx), orderId, "completed"))
    .handle(OrderCancelled, ({ orderId, reason }, ctx) => addOutcome(sql(ctx.tx), orderId, `cancelled: ${reason}`));

  await bus.start();
  return bus;
}
