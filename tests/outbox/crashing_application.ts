/** A service that runs in units of work, in two processes that crash: what its simulations have in common. */
import { command, event, retry } from "../../mod.ts";
import type { Faults, World } from "../../src/testing/mod.ts";

interface Order {
  readonly id: number;
}
/** What came of an order, as whoever it was sent to has seen it; a message that came twice stands here twice. */
interface Outcome extends Order {
  readonly what: string;
  readonly messageId: string;
}

const Submit = command<Order>("crash.submit", { key: ({ id }) => String(id % 3) });
const Submitted = event<Order>("crash.submitted", { key: ({ id }) => String(id % 3) });
const Bill = command<Order>("crash.bill");
const Remind = command<Order>("crash.remind");
const Enter = command<Order>("crash.enter");

const count = 20;

/** Two processes of one service, which both put orders off, fail, and crash; and those who hear of it. */
export async function submitOrders(world: World): Promise<void> {
  for (const name of ["orders-1", "orders-2"]) {
    await world.instance(name, (bus, instance) => {
      bus.endpoint("orders", {
        outbox: name === "orders-1" ? true : { group: 4 },
        retry: retry.immediate(2),
        redeliver: ["1s", "1s", "1s"],
        concurrency: 4,
      })
        .handle(Submit, async (order, ctx) => {
          await ctx.publish(Submitted, order);
          if (order.id % 2 === 0) void ctx.tx; // an instance may crash there, too
          await instance.delay(order.id % 4);
          if (instance.chance(0.1)) throw new Error("no luck");
          await ctx.send(Bill, order);
          const taken = await ctx.schedule(Remind, { id: -1 }, { in: "1m" });
          await ctx.schedule(Remind, order, { in: "1m" });
          await ctx.unschedule(taken);
        });
      bus.endpoint("books", { outbox: true, retry: retry.immediate(2) })
        .batch(Submitted, { size: 3, within: "100ms" }, async (batch, ctx) => {
          for (const item of batch) {
            if (instance.chance(0.1)) ctx.fail(item, new Error("alone"));
            else await ctx.send(Enter, item.message);
          }
          if (instance.chance(0.05)) throw new Error("all");
        });
    }, { service: "orders" });
  }
  for (const what of ["heard", "billed", "reminded", "entered"] as const) {
    await world.instance(what, (bus, instance) => {
      const contract = { heard: Submitted, billed: Bill, reminded: Remind, entered: Enter }[what];
      bus.endpoint(what).handle(contract as typeof Bill, ({ id }, { messageId }) => {
        instance.ledger<Outcome>("outcomes").append({ id, what, messageId });
      });
    });
  }
  for (let id = 0; id < count; id++) await world.send(Submit, { id });
}

/** Each order had each outcome, once: whatever came twice was the same message. */
export async function onceEach(world: World): Promise<string | void> {
  const { entries } = world.ledger<Outcome>("outcomes");
  const givenUp = async (endpoint: string): Promise<ReadonlySet<number>> =>
    new Set((await world.errors(endpoint)).map(({ body }) => JSON.parse(new TextDecoder().decode(body)).id));
  const [orders, books] = [await givenUp("orders"), await givenUp("books")];
  if (entries.some(({ id }) => id < 0)) return "A schedule that was taken back was sent";
  for (let id = 0; id < count; id++) {
    const times = (what: string): number =>
      new Set(entries.filter((each) => each.id === id && each.what === what).map(({ messageId }) => messageId)).size;
    const seen = {
      heard: times("heard"),
      billed: times("billed"),
      reminded: times("reminded"),
      entered: times("entered"),
    };
    const problem = (what: string): string => `Order ${id} ${what}: ${JSON.stringify(seen)}`;
    if (Object.values(seen).some((each) => each > 1)) return problem("had an effect twice");
    if (seen.heard !== seen.billed || seen.heard !== seen.reminded) return problem("had half of its effect");
    // What was given up may have come twice, and succeeded then.
    if (seen.heard === 0 && !orders.has(id)) return problem("was lost");
    if (seen.entered < seen.heard && !books.has(id)) return problem("was lost on its way into the books");
  }
}

/** Far more than usual. */
export const storm: Faults = { drop: 0.01, duplicate: 0.05, delay: 0.3, reorder: 0.5, crash: 0.005, fail: 0.05 };
