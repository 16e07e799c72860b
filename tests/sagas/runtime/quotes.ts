/** A saga that asks others before it answers, and those whom it asks. */
import { command, query, retry, saga, type } from "../../../mod.ts";
import type { Bus } from "../../../src/bus/bus.ts";
import { memoryDatabase, memoryStore } from "../../../stores/memory/mod.ts";
import { Journal, type Trial } from "../../support/trial.ts";

export const Quote = command<{ id: string }, { price: number; from: string }>("quotes.make");
export const GetPrice = query<{ id: string }, { price: number }>("prices.get");
export const GetDiscount = query<{ id: string }, { percent: number }>("discounts.get");

export const Quotes = saga("quotes", {
  data: type<{ price: number }>(),
  states: ["asking", "discounting", "known"],
  events: (on) => ({ asked: on.start(Quote, (m) => m.id, () => ({ price: 0 })) }),
}, ({ initially, during, when, sequence }) => {
  const tell = sequence("asked", (s) => s.respond((ctx) => ({ price: ctx.saga.price, from: `known ${ctx.id}` })));
  return [
    initially(
      when("asked").request(GetPrice, (ctx) => ({ id: ctx.id }), {
        timeout: "30s",
        pending: "asking",
        completed: (then) =>
          then
            .then((ctx) => {
              if (ctx.message.price < 0) throw new RangeError(`a price of ${ctx.message.price}`);
              ctx.saga.price = ctx.message.price;
            })
            .ifElse(
              (ctx) => ctx.message.price < 100,
              (small) => small.respond((ctx) => ({ price: ctx.saga.price, from: "the price" })).transitionTo("known"),
              (large) =>
                large.request(GetDiscount, (ctx) => ({ id: ctx.id }), {
                  timeout: "5s",
                  pending: "discounting",
                  completed: (then) =>
                    then.respond((ctx) => ({ price: ctx.saga.price - ctx.message.percent, from: "the discount" }))
                      .finalize(),
                  faulted: (then) => then.finalize(),
                  timedOut: (then) =>
                    then.respond((ctx) => ({ price: ctx.saga.price, from: "no discount" })).finalize(),
                }),
            ),
        faulted: (then) =>
          then.then((ctx) => {
            throw new RangeError(`no price: ${ctx.message.error.message}`);
          }),
        timedOut: (then) => then.respond(() => ({ price: 0, from: "nobody" })).finalize(),
      }),
    ),
    during("known", when("asked").run(tell)),
  ];
});

/** What a test works with. */
export interface Started {
  /** Of another service: who asks. */
  readonly shop: Bus;
  readonly journal: Journal;
  /** One more process with the saga, instead of those before. */
  restart(): Promise<Bus>;
}

/** The saga in a process of its own, others that it asks, and a shop that asks it. */
export async function started(t: Trial, price: (id: string) => Promise<number> | number): Promise<Started> {
  const database = memoryDatabase();
  const journal = new Journal();
  let bus: Bus | undefined;
  const restart = async (): Promise<Bus> => {
    await bus?.stop();
    bus = t.bus({ name: "pricing", store: memoryStore({ database }) });
    bus.add(Quotes, { retry: retry.immediate(1) });
    bus.observe(journal);
    await bus.start();
    return bus;
  };
  const others = t.bus({ name: "others" });
  others.endpoint("prices").handle(GetPrice, async ({ id }) => ({ price: await price(id) }));
  others.endpoint("discounts").handle(GetDiscount, async ({ id }, ctx) => {
    if (id === "slow") await ctx.defer("1m");
    if (id === "none") throw new Error("no discount");
    return { percent: 10 };
  });
  await others.start();
  await restart();
  const shop = t.bus({ name: "shop" });
  await shop.start();
  return { shop, journal, restart };
}
