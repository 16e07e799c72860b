/** Every order is tried, and the shortest that fails is told. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { command, ConfigurationError, consumer, event, memoryStore, saga, type } from "../../mod.ts";
import {
  type Exploration,
  ExplorationError,
  explore,
  type HarnessOptions,
  type TestHarness,
} from "../../src/testing/mod.ts";
import { test } from "../support/runner.ts";

const Act = command<{ readonly name: string }>("explore.act");

/** An application that notes what comes, in its order. */
function noting(): { readonly seen: string[]; readonly harness: () => HarnessOptions } {
  const seen: string[] = [];
  const act = consumer(Act, ({ name }) => void seen.push(name));
  return {
    seen,
    harness: () => {
      seen.length = 0;
      return { consumers: [act] };
    },
  };
}

function steps(...names: readonly string[]): Record<string, (harness: TestHarness) => Promise<void>> {
  return Object.fromEntries(
    names.map((name) => [name, (harness: TestHarness) => harness.send(Act, { name })]),
  );
}

test("explore takes each step in every order, also some of them and one twice, the shorter ones first", async () => {
  const { harness, seen } = noting();
  const tried: string[] = [];
  const complete: string[] = [];
  const report = await explore({ harness, steps: steps("a", "b") }, (_, exploring) => {
    assertEquals(seen, exploring.order);
    tried.push(exploring.order.join(""));
    if (exploring.complete) complete.push(exploring.order.join(""));
  });
  assertEquals(tried, ["a", "b", "aa", "ab", "ba", "bb", "aab", "aba", "abb", "baa", "bab", "bba"]);
  assertEquals(complete, ["ab", "ba", "aab", "aba", "abb", "baa", "bab", "bba"]);
  assertEquals(report, { orders: 12, exhaustive: true });
});

test("what a step leads to has all happened before the next, and before the invariant is asked", async () => {
  const Follows = event<{ readonly name: string; readonly left: number }>("explore.follows");
  const seen: string[] = [];
  const chain = [
    consumer(Act, ({ name }, ctx) => ctx.publish(Follows, { name, left: 5 })),
    consumer(Follows, async ({ name, left }, ctx) => {
      if (left > 0) await ctx.publish(Follows, { name, left: left - 1 });
      else seen.push(name);
    }),
  ];
  const harness = (): HarnessOptions => {
    seen.length = 0;
    return { consumers: chain };
  };
  const report = await explore({ harness, steps: steps("a", "b") }, (_, { order }) => assertEquals(seen, order));
  assertEquals(report.orders, 12);
});

test("without repeats each step is taken once, and a limit is told", async () => {
  const { harness } = noting();
  assertEquals(await explore({ harness, steps: steps("a", "b", "c"), repeats: 0 }, () => {}), {
    orders: 3 + 6 + 6,
    exhaustive: true,
  });
  assertEquals(await explore({ harness, steps: steps("a", "b", "c"), limit: 4 }, () => {}), {
    orders: 4,
    exhaustive: false,
  });
});

test("the shortest order that fails is told, with its timeline", async () => {
  const { harness, seen } = noting();
  const error = await assertRejects(
    () =>
      explore({ harness, steps: steps("pay", "pack", "cancel") }, () => {
        if (seen.indexOf("pack") > seen.indexOf("cancel") && seen.includes("cancel")) return "it is packed in vain";
      }),
    ExplorationError,
    "it is packed in vain, after cancel → pack",
  );
  assertEquals(error.order, ["cancel", "pack"]);
  assertStringIncludes(error.message, "explore.act");
});

test("a step that fails, and an invariant that throws, are what is wrong", async () => {
  const { harness } = noting();
  const failing = { works: () => {}, fails: () => Promise.reject(new Error("out of order")) };
  const failed = await assertRejects(() => explore({ harness, steps: failing }, () => {}), ExplorationError);
  assertEquals(failed.order, ["fails"]);
  assert(failed.cause instanceof Error);
  const thrown = await assertRejects(
    () => explore({ harness, steps: steps("a") }, () => assertEquals(1, 2)),
    ExplorationError,
    "The invariant does not hold",
  );
  assert(thrown.cause instanceof Error);
});

test("nothing to explore, and bounds that are none, are refused", async () => {
  const { harness } = noting();
  await assertRejects(() => explore({ harness, steps: {} }, () => {}), ConfigurationError, "without a step");
  for (const bounds of [{ repeats: -1 }, { repeats: 0.5 }, { limit: 0 }, { limit: NaN }]) {
    await assertRejects(() => explore({ harness, steps: steps("a"), ...bounds }, () => {}), ConfigurationError);
  }
});

const Begun = event<{ readonly id: string }>("explore.begun");
const Paid = event<{ readonly id: string }>("explore.paid");
const Shipped = event<{ readonly id: string }>("explore.shipped");
const Refunded = event<{ readonly id: string }>("explore.refunded");

/** An order; `careless`: its timeout, that refunds what is not paid in time, stays due when it is paid. */
function orderSaga(careless: boolean) {
  return saga("order", {
    data: type<{ shipped: boolean }>(),
    states: ["awaitingPayment", "paid", "refunded"],
    timeouts: { due: "1h" },
    events: (on) => ({
      begun: on.start(Begun, (m) => m.id, () => ({ shipped: false })),
      paid: on(Paid, (m) => m.id, { onMissing: "discard" }),
    }),
  }, ({ initially, during, when, timeout, ignore }) => {
    const ships = when("paid").then((ctx) => void (ctx.saga.shipped = true)).publish(
      Shipped,
      (ctx) => ({ id: ctx.id }),
    );
    const refunds = timeout("due").publish(Refunded, (ctx) => ({ id: ctx.id })).transitionTo("refunded");
    return [
      initially(when("begun").schedule("due").transitionTo("awaitingPayment")),
      during(
        "awaitingPayment",
        (careless ? ships : ships.unschedule("due")).transitionTo("paid"),
        refunds,
        ignore("begun"),
      ),
      during("paid", ignore("begun"), ignore("paid"), refunds),
      during("refunded", ignore("begun"), ignore("paid")),
    ];
  });
}

/** In any order, also twice: an order is shipped or refunded, and not both. */
function exploreOrders(careless: boolean): Promise<Exploration> {
  const Order = orderSaga(careless);
  return explore({
    harness: () => ({ store: memoryStore(), consumers: [Order] }),
    steps: {
      begin: (harness) => harness.publish(Begun, { id: "1" }),
      pay: (harness) => harness.publish(Paid, { id: "1" }),
      "wait an hour": (harness) => harness.advance("1h"),
    },
  }, (harness) => {
    const [shipped, refunded] = [harness.published(Shipped).count, harness.published(Refunded).count];
    if (shipped > 0 && refunded > 0) return "it is shipped and refunded";
  });
}

test("the shortest order in which a saga breaks a promise is found, and none once the saga is mended", async () => {
  const error = await assertRejects(() => exploreOrders(true), ExplorationError, "it is shipped and refunded");
  assertEquals(error.order, ["begin", "pay", "wait an hour"]);
  assertStringIncludes(error.message, "explore.refunded");
  const { exhaustive } = await exploreOrders(false);
  assert(exhaustive);
});

test("what cannot be explored is refused before anything is tried", async () => {
  const { harness } = noting();
  const refused = async (options: object | undefined, invariant: unknown, says: string) =>
    void await assertRejects(() => explore(options as never, invariant as never), ConfigurationError, says);
  await refused(undefined, () => {}, "as the options of explore()");
  await refused({ steps: steps("a") }, () => {}, "without { harness }");
  await refused({ harness, steps: steps("a") }, undefined, "without an invariant");
  await refused({ harness, steps: { a: "pay" } }, () => {}, `the step "a": it is no function`);
  await refused({ harness, step: steps("a") }, () => {}, "Write { steps }");
  await refused({ harness: () => Promise.resolve({}), steps: steps("a") }, () => {}, "it is a promise");
});
