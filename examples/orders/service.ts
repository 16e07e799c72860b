/** The order service: one bus, four endpoints. */
import { type Bus, createBus, type Duration, type Transport } from "@hero/messaging";
import { CloseUnpaid, GetOrder, OrderClosed, OrderPaid, OrderPlaced, PayOrder, PlaceOrder } from "./contracts.ts";
import type { Database } from "./database.ts";
import { addMail, addOrder, createTables, finishOrder, statusOf } from "./tables.ts";

/** What the service runs on. */
export interface ServiceOptions<in out Tx> {
  readonly database: Database<Tx>;
  /** Left out: in memory. */
  readonly transport?: Transport | undefined;
  /** How long a customer has to pay. */
  readonly paymentTime: Duration;
}

/** Starts it. */
export async function startService<Tx>({ database, transport, paymentTime }: ServiceOptions<Tx>): Promise<Bus<Tx>> {
  const { store, sql } = database;
  const bus = createBus({ name: "shop", store, ...(transport === undefined ? {} : { transport }) });

  // What a message does here is one commit: the row, what is sent and scheduled, and that the message was handled.
  bus.endpoint("orders", { outbox: true })
    .handle(PlaceOrder, async ({ orderId, totalInCents }, ctx) => {
      const closing = await ctx.schedule(CloseUnpaid, { orderId }, { in: paymentTime });
      await addOrder(sql(ctx.tx), orderId, totalInCents, closing.id);
      await ctx.publish(OrderPlaced, { orderId });
    })
    .handle(PayOrder, async ({ orderId }, ctx) => {
      const closing = await finishOrder(sql(ctx.tx), orderId, "paid");
      if (closing === undefined) return { paid: false };
      await ctx.unschedule({ id: closing });
      await ctx.publish(OrderPaid, { orderId });
      return { paid: true };
    })
    .handle(CloseUnpaid, async ({ orderId }, ctx) => {
      const closing = await finishOrder(sql(ctx.tx), orderId, "closed");
      if (closing !== undefined) await ctx.publish(OrderClosed, { orderId });
    });

  // A query changes nothing and gets no transaction: it reads what is committed.
  bus.endpoint("orders-queries").handle(GetOrder, async ({ orderId }) => ({
    status: await bus.transaction((tx) => statusOf(sql(tx), orderId)),
  }));

  // Events come at least once; with an inbox of their own, mails are written once.
  bus.endpoint("mails", { outbox: true })
    .handle(OrderPlaced, ({ orderId }, ctx) => addMail(sql(ctx.tx), orderId, "placed"))
    .handle(OrderPaid, ({ orderId }, ctx) => addMail(sql(ctx.tx), orderId, "paid"))
    .handle(OrderClosed, ({ orderId }, ctx) => addMail(sql(ctx.tx), orderId, "closed"));

  // The tables are there before the first message comes.
  const setup = createBus({ name: "shop-setup", store });
  await setup.start();
  await setup.transaction((tx) => createTables(sql(tx)));
  await bus.start();
  await setup.stop();
  return bus;
}
