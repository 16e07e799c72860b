/** What the processes on one database do: each input has five effects, on endpoints of every kind. */
import { type Bus, command, event } from "../../../mod.ts";
import type { Ledger } from "./ledger.ts";

interface Order {
  readonly input: number;
}
/** An input. */
export const Submit = command<Order>("one.submit");
const Submitted = event<Order>("one.submitted", { key: ({ input }) => `key ${input % 3}` });
const Bill = command<Order>("one.bill");
const Book = command<Order>("one.book");
const End = command<Order>("one.end");
const Pass = command<Order>("one.pass");
const Copy = command<Order>("one.copy");

/** The effects of an input. */
export const steps: readonly string[] = ["order", "bill", "book", "end", "copy"];

/** Declares the endpoints; `reached` is told how far each handler of an input is, and may hold it up. */
export function handleAll(
  bus: Bus<unknown>,
  ledger: Ledger<unknown>,
  reached: (at: "taken" | "written" | "handled", signal: AbortSignal) => void | Promise<void>,
): void {
  // Few at once: what a killed process holds comes again only when its lease has ended, and counts.
  const few = { concurrency: 2, prefetch: 3 };
  const write = (tx: unknown, step: string, { input }: Order): Promise<void> => ledger.write(tx, { step, input });
  bus.endpoint("orders", { ...few, outbox: true }).handle(Submit, async (order, ctx) => {
    await ctx.publish(Submitted, order);
    await ctx.send(Pass, order);
    await reached("taken", ctx.signal);
    await write(ctx.tx, "order", order);
    await reached("written", ctx.signal);
    await ctx.send(Bill, order);
    await reached("handled", ctx.signal);
  });
  bus.endpoint("bills", { ...few, outbox: { group: 2 } }).handle(Bill, async (order, ctx) => {
    await write(ctx.tx, "bill", order);
    await ctx.send(Book, order);
  });
  bus.endpoint("books", { concurrency: 1, prefetch: 6, outbox: true })
    .batch(Book, { size: 2, within: "20ms" }, async (batch, ctx) => {
      for (const { message } of batch) await write(ctx.tx, "book", message);
    });
  // No transaction of its own: all is in the commit.
  bus.endpoint("relay", { ...few, outbox: true, order: "key" }).handle(Submitted, (order, ctx) => ctx.send(End, order));
  bus.endpoint("ends", { ...few, outbox: true }).handle(
    End,
    (order, ctx) => write(ctx.tx, "end", order),
  );
  // The same without an order: those that are ready together share a commit.
  bus.endpoint("passes", { concurrency: 4, prefetch: 4, outbox: true }).handle(
    Pass,
    (order, ctx) => ctx.send(Copy, order),
  );
  bus.endpoint("copies", { ...few, outbox: true }).handle(Copy, (order, ctx) => write(ctx.tx, "copy", order));
}
