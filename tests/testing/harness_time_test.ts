/** What passes within settled(), and what waits for advance(). */
import { assertEquals, assertInstanceOf, assertMatch, assertRejects } from "@std/assert";
import { command, consumer, HandlerTimeoutError, RequestTimeoutError, retry } from "../../mod.ts";
import { createTestHarness, HarnessTimeoutError, type TestHarness } from "../../src/testing/mod.ts";
import { test } from "../support/runner.ts";
import { configured, GetOrder, Submit, submit, Submitted, within } from "./harness_support.ts";

test("harness: retries in process run on the virtual clock within settled()", () => {
  let attempts = 0;
  return within(
    configured((bus) =>
      bus.endpoint("orders", { retry: retry.interval(3, "1h") }).handle(Submit, () => {
        if (++attempts < 4) throw new Error(`attempt ${attempts}`);
      })
    ),
    async (harness) => {
      const start = harness.clock.now();
      await harness.send(Submit, { id: "1" });
      await harness.settled();
      assertEquals(harness.clock.now() - start, 3 * 3_600_000);
      assertEquals(harness.consumed(Submit).one().attempt, 4);
      assertEquals(harness.retried(Submit).all().map(({ error }) => error?.message), [
        "attempt 1",
        "attempt 2",
        "attempt 3",
      ]);
    },
  );
});

test("harness: redelivery, delays and schedules wait for advance()", () => {
  let attempts = 0;
  return within(
    configured((bus) =>
      bus.endpoint("orders", { redeliver: ["1m", "1h"] }).handle(Submit, (_, { attempt }) => {
        attempts = attempt;
        if (attempt < 3) throw new Error("not yet");
      })
    ),
    async (harness) => {
      await harness.send(Submit, { id: "now" });
      await harness.settled();
      assertEquals(attempts, 1);
      await harness.advance("59s");
      assertEquals(attempts, 1);
      await harness.advance("1s");
      assertEquals(attempts, 2);
      await harness.advance("1h");
      harness.consumed(Submit).one(({ id }) => id === "now");

      await harness.send(Submit, { id: "delayed" }, { delay: "10s" });
      const token = await harness.schedule(Submit, { id: "taken back" }, { in: "10s" });
      await harness.schedule(Submit, { id: "scheduled" }, { in: "20s" });
      await harness.unschedule(token);
      await harness.settled();
      assertEquals(harness.unhandled(Submit).count, 0);
      assertEquals(harness.timeline().entries.filter(({ what }) => what === "received").length, 3);
      await harness.advance("20s");
      const received = harness.timeline().entries.filter(({ what }) => what === "received").slice(3);
      assertEquals(received.map(({ observed }) => (observed?.message as { id: string }).id), ["delayed", "scheduled"]);
      assertEquals(received.map(({ atInMs }) => atInMs - 3_660_000), [10_000, 20_000]);
    },
  );
});

test("harness: what a handler waits for on the clock of the harness passes within settled()", () => {
  let harness: TestHarness | undefined;
  const slow = consumer(Submit, async () => await harness?.clock.delay("7d"));
  return within(createTestHarness(slow), async (made) => {
    harness = made;
    await made.send(Submit, { id: "1" });
    await made.settled();
    assertEquals(made.consumed(Submit).one().atInMs, 7 * 86_400_000);
  });
});

test("harness: batches and gates that hold messages are waited out on the virtual clock", () => {
  const batches: number[] = [];
  return within(
    configured((bus) => {
      bus.endpoint("batches").batch(Submitted, { size: 10, within: "30s" }, (batch) => void batches.push(batch.length));
      bus.endpoint("limited", { rateLimit: { limit: 2, per: "1m" }, prefetch: 1, concurrency: 1 })
        .handle(Submit, () => {});
    }),
    async (harness) => {
      for (let id = 0; id < 5; id++) {
        await harness.publish(Submitted, { id: `${id}` });
        await harness.send(Submit, { id: `${id}` });
      }
      await harness.settled();
      assertEquals(batches, [5]);
      assertEquals(harness.consumed(Submit).all().map(({ atInMs }) => atInMs), [0, 0, 60_000, 60_000, 120_000]);
    },
  );
});

test("harness: an open circuit with nothing behind it is not waited for", () =>
  within(
    configured((bus) =>
      bus.endpoint("orders", { killSwitch: { activationThreshold: 1, tripThreshold: 0.1, restartTimeout: "1m" } })
        .handle(Submit, () => {
          throw new Error("always");
        })
    ),
    async (harness) => {
      await harness.send(Submit, { id: "1" });
      await harness.settled();
      assertEquals(harness.faulted(Submit).one().atInMs, 0);
      assertEquals(harness.clock.now(), Date.UTC(2026, 0, 1));
      await harness.send(Submit, { id: "2" });
      await harness.settled();
      assertEquals(harness.faulted(Submit).all().map(({ atInMs }) => atInMs), [0, 60_000]);
    },
  ));

test("harness: a paused endpoint is not waited for", () =>
  within(createTestHarness(submit), async (harness) => {
    await harness.bus.pause("orders.submit");
    await harness.send(Submit, { id: "1" });
    await harness.settled();
    harness.consumed(Submit).none();
    await harness.bus.resume("orders.submit");
    await harness.settled();
    harness.consumed(Submit).one();
  }));

test("harness: what a handler does in real time is awaited, and no timeout cuts it off meanwhile", () =>
  within(
    configured((bus) =>
      bus.endpoint("orders", { timeout: "1s" }).handle(Submit, async () => {
        for (let round = 0; round < 3; round++) await new Promise((resolve) => setTimeout(resolve, 5));
      })
    ),
    async (harness) => {
      await harness.send(Submit, { id: "1" });
      await harness.settled();
      assertEquals(harness.consumed(Submit).one().atInMs, 0);
    },
  ));

test("harness: a handler's timeout passes with advance()", () =>
  within(
    configured((bus) => bus.endpoint("orders", { timeout: "30s" }).handle(Submit, () => new Promise(() => {}))),
    async (harness) => {
      await harness.send(Submit, { id: "1" });
      await harness.advance("30s");
      assertInstanceOf(harness.faulted(Submit).one().error, HandlerTimeoutError);
      await harness.settled();
    },
  ));

test("harness: where nothing else ends a handler, settled() lets its timeout pass at last", () =>
  within(
    configured((bus) => bus.endpoint("orders", { timeout: "30s" }).handle(Submit, () => new Promise(() => {}))),
    async (harness) => {
      await harness.send(Submit, { id: "1" });
      await harness.settled({ timeout: 20 });
      assertEquals(harness.faulted(Submit).one().atInMs, 30_000);
    },
  ));

test("harness: a timeout that ends a handler has its chance also on a machine that hardly gets on", () =>
  within(
    configured((bus) => bus.endpoint("orders", { timeout: "30s" }).handle(Submit, () => new Promise(() => {}))),
    async (harness) => {
      await harness.send(Submit, { id: "1" });
      // Between two looks at the clock, more time goes by than settled() has, twice over.
      const real = performance.now.bind(performance);
      let looks = 0;
      performance.now = () => real() + 45 * ++looks;
      try {
        await harness.settled({ timeout: 20 });
      } finally {
        performance.now = real;
      }
      assertEquals(harness.faulted(Submit).one().atInMs, 30_000);
    },
  ));

test("harness: what never ends is named", () =>
  within(
    configured((bus) => bus.endpoint("orders").handle(Submit, () => new Promise(() => {}))),
    async (harness) => {
      await harness.send(Submit, { id: "1" }, { messageId: "order-1" });
      const error = await assertRejects(() => harness.settled({ timeout: 20 }), HarnessTimeoutError);
      assertEquals(error.code, "HERO_HARNESS_TIMEOUT");
      assertMatch(error.message, /"orders" has been handling "orders.submit" order-1 \(attempt 1\) for \d+ ms/);
      assertMatch(error.message, /received +orders.submit/);
    },
  ));

test("harness: a handler that polls for ever is named, too", () => {
  let harness: TestHarness | undefined;
  const poll = consumer(Submit, async () => {
    for (;;) await harness?.clock.delay("1s");
  });
  return within(createTestHarness(poll), async (made) => {
    harness = made;
    await made.send(Submit, { id: "1" });
    await assertRejects(() => made.settled({ timeout: 20 }), HarnessTimeoutError);
  });
});

test("harness: a request is answered without the test's help, retries included", () => {
  let attempts = 0;
  return within(
    configured((bus) =>
      bus.endpoint("orders", { retry: retry.interval(1, "1s") }).handle(GetOrder, ({ id }) => {
        if (++attempts === 1) throw new Error("busy");
        return { status: `${id} paid` };
      })
    ),
    async (harness) => {
      assertEquals(await harness.request(GetOrder, { id: "1" }), { status: "1 paid" });
      assertEquals(harness.clock.now() - Date.UTC(2026, 0, 1), 1000);
      harness.sent(GetOrder).one();
    },
  );
});

test("harness: a request from outside that nobody answers times out when the clock is advanced", () =>
  within(
    configured((bus) => bus.endpoint("orders").handle(GetOrder, (_, ctx) => ctx.forward("queue:elsewhere") as never)),
    async (harness) => {
      await harness.bus.deploy("apply");
      const answer = harness.request(GetOrder, { id: "1" }, { timeout: "10s" });
      const rejected = assertRejects(() => answer, RequestTimeoutError);
      await harness.settled({ timeout: 50 }).catch(() => {});
      await harness.advance("10s");
      await rejected;
    },
  ));

test("harness: a handler's request that nobody answers times out within settled()", () => {
  const Ask = command("ask");
  return within(
    configured((bus) => {
      bus.endpoint("asking").handle(Ask, async (_, ctx) => {
        await ctx.request(GetOrder, { id: "1" }, { timeout: "10s" });
      });
      bus.endpoint("orders").handle(GetOrder, async (_, ctx) => await ctx.defer("1h") as never);
    }),
    async (harness) => {
      await harness.send(Ask, {});
      await harness.settled();
      const { error, atInMs } = harness.faulted(Ask).one();
      assertInstanceOf(error, RequestTimeoutError);
      assertEquals(atInMs, 10_000);
    },
  );
});

test("harness: a debugger that holds the process for half a minute uses up no patience (case 79)", () => {
  let heldInMs = 0;
  const slow = consumer(Submit, async (order, ctx) => {
    await new Promise((wake) => setTimeout(wake));
    heldInMs += 30_000;
    await new Promise((wake) => setTimeout(wake));
    await ctx.publish(Submitted, order);
  });
  return within(createTestHarness(slow), async (harness) => {
    const real = performance.now.bind(performance);
    performance.now = () => real() + heldInMs;
    try {
      await harness.send(Submit, { id: "1" });
      await harness.settled();
    } finally {
      performance.now = real;
    }
    assertEquals(heldInMs, 30_000);
    harness.published(Submitted).one();
  });
});
