/** Callers of a saga that asks others first, in services whose processes crash, over many seeds. */
import { assert } from "@std/assert";
import { command, query, retry, saga, type } from "../../../mod.ts";
import { simulate, type World } from "../../../src/testing/mod.ts";
import { test } from "../../support/runner.ts";
import { seeds } from "../../support/share.ts";

const Quote = command<{ id: string; n: number }, { price: number }>("quotes.make");
const GetPrice = query<{ n: number }, { price: number }>("prices.get");
const Release = command<{ n: number }>("stock.release");
const GetDiscount = query<{ n: number }, { percent: number }>("discounts.get");

const Quotes = saga("quotes", {
  data: type<{ price: number; n: number }>(),
  states: ["asking", "known"],
  events: (on) => ({ asked: on.start(Quote, (m) => m.id, (m) => ({ price: 0, n: m.n })) }),
}, ({ initially, during, when }) => [
  initially(
    when("asked").compensateWith("held", (undo) => undo.send(Release, (ctx) => ({ n: ctx.message.n }))).request(
      GetPrice,
      (ctx) => ({ n: ctx.saga.n }),
      {
        timeout: "10m",
        pending: "asking",
        completed: (then) =>
          then.then((ctx) => void (ctx.saga.price = ctx.message.price)).request(
            GetDiscount,
            (ctx) => ({ n: ctx.saga.n }),
            {
              timeout: "10m",
              completed: (then) =>
                then.respond((ctx) => ({ price: ctx.saga.price - ctx.message.percent })).transitionTo("known"),
              faulted: (then) => then.compensate().respond((ctx) => ({ price: ctx.saga.price })).transitionTo("known"),
              timedOut: (then) => then.respond(() => ({ price: -1 })).transitionTo("known"),
            },
          ),
        faulted: (then) => then.respond(() => ({ price: -2 })).transitionTo("known"),
        timedOut: (then) => then.respond(() => ({ price: -3 })).transitionTo("known"),
      },
    ),
  ),
  during("known", when("asked").respond((ctx) => ({ price: ctx.saga.price }))),
]);

/** Of those whose discount fails, the whole. */
const right = (n: number): number => n % 5 === 0 ? 100 * n : 100 * n - 10;
/** What the branches may answer where a request fails, or where time goes on without it. */
const possible = (n: number): readonly number[] => [right(n), 100 * n, -1, -2, -3];
const asked = Array.from({ length: 12 }, (_, n) => n);
const answers = new WeakMap<World, { readonly given: Map<number, number>; readonly failed: string[] }>();

async function ask(world: World): Promise<void> {
  for (const name of ["quotes one", "quotes two"]) {
    await world.instance(name, (bus) => {
      bus.add(Quotes, { concurrency: 4, retry: retry.interval(5, "100ms"), redeliver: ["1s", "10s"] });
    }, { service: "quotes" });
  }
  await world.instance("prices", (bus, instance) => {
    bus.endpoint("prices", { retry: retry.interval(5, "50ms"), redeliver: ["1s", "10s"] })
      .handle(GetPrice, async ({ n }) => {
        await instance.delay(5 * n);
        return { price: 100 * n };
      });
    bus.endpoint("discounts").handle(GetDiscount, ({ n }) => {
      if (n % 5 === 0) throw new Error("there is none");
      return { percent: 10 };
    });
    bus.endpoint("stock").handle(Release, () => {});
  });
  const found = { given: new Map<number, number>(), failed: new Array<string>() };
  answers.set(world, found);
  await Promise.all(asked.map(async (n) => {
    try {
      const { price } = await world.request(Quote, { id: String(n), n }, { timeout: "30m" });
      found.given.set(n, price);
    } catch (error) {
      found.failed.push(`${n}: ${error}`);
    }
  }));
}

const many = seeds(60);

test(
  `over ${many} seeds of crashes at any point, whoever asks a saga is answered once, by the right branch`,
  async () => {
    const counts = { asked: 0, answered: 0, right: 0 };
    const report = await simulate({ seeds: many }, ask, async (world) => {
      const { given, failed } = answers.get(world)!;
      const wrong = [...given].filter(([n, price]) => !possible(n).includes(price));
      if (wrong.length > 0) return `Wrong answers: ${JSON.stringify(wrong)}`;
      // Time may pass faster than anybody is, and a request may not have been sent.
      const lost = failed.filter((each) => !/: (RequestTimeoutError|DisconnectedError)/.test(each));
      if (lost.length > 0) return `Unanswered: ${lost.join(", ")}`;
      const sent = world.timeline().entries.filter(({ what, contract }) =>
        what === "responded" && contract === Quote.name
      );
      const replies = new Set(sent.map(({ messageId }) => messageId)).size;
      if (replies > asked.length) return `${replies} answers to ${asked.length} requests`;
      const parked = await world.errors("quotes");
      if (parked.length > 0) return `Given up: ${parked.map(({ exceptions: [first] }) => first?.message).join(", ")}`;
      counts.right += [...given].filter(([n, price]) => price === right(n)).length;
      counts.answered += given.size;
      counts.asked += asked.length;
    });
    assert(report.crashedSeeds > 0, "No seed had a crash");
    // A seed in which time passes at once costs all who ask in it their answers.
    assert(counts.answered > 0.75 * counts.asked, `Only ${counts.answered} of ${counts.asked} were answered`);
    assert(counts.right > 0.9 * counts.answered, `Only ${counts.right} of ${counts.answered} answers were right`);
  },
  { timeoutInMs: 120_000 },
);
