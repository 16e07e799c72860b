import { assert, assertEquals, assertInstanceOf, assertMatch, assertRejects, assertThrows } from "@std/assert";
import {
  type Bus,
  command,
  ConfigurationError,
  consumer,
  DuplicateOwnerError,
  event,
  fault,
  HandlerTimeoutError,
  query,
  RequestFaultError,
  RequestTimeoutError,
  retry,
} from "../../mod.ts";
import {
  createTestHarness,
  HarnessAssertionError,
  type HarnessOptions,
  HarnessTimeoutError,
  type TestHarness,
} from "../../src/testing/mod.ts";
import { test } from "../support/runner.ts";

const Submit = command<{ id: string }>("orders.submit");
const Submitted = event<{ id: string }>("orders.submitted");
const Accepted = event<{ id: string }>("orders.accepted", { extends: event<{ id: string }>("orders.event") });
const GetOrder = query<{ id: string }, { status: string }>("orders.get");

const submit = consumer(Submit, (order, ctx) => ctx.publish(Submitted, order));
const accept = consumer(Submitted, (order, ctx) => ctx.publish(Accepted, order), { name: "acceptance" });

/** Disposes also where the runtime does not parse `await using`. */
async function within<Tx>(starting: Promise<TestHarness<Tx>>, run: (harness: TestHarness<Tx>) => Promise<void>) {
  const harness = await starting;
  try {
    await run(harness);
  } finally {
    await harness[Symbol.asyncDispose]();
  }
}
const configured = (configure: (bus: Bus) => void, options: HarnessOptions = {}) =>
  createTestHarness({ ...options, configure });

test("harness: settles when all that follows from a message has been handled", () =>
  within(createTestHarness(submit, accept), async (harness) => {
    await harness.send(Submit, { id: "1" });
    await harness.settled();
    const sent = harness.sent(Submit).one();
    assertEquals(sent.message, { id: "1" });
    assertEquals([sent.to, sent.endpoint, sent.attempt], ["topic:orders.submit", undefined, undefined]);
    const consumed = harness.consumed(Submitted).one((order) => order.id === "1");
    assertEquals([consumed.endpoint, consumed.attempt, consumed.error], ["acceptance", 1, undefined]);
    assertEquals(consumed.conversationId, sent.messageId);
    assertEquals(harness.published(Accepted).count, 1);
    assertEquals(harness.published(Submitted).all((order) => order.id === "2"), []);
    harness.faulted(Submit).none();
  }));

test("harness: a query finds what extends the contract", () =>
  within(createTestHarness(accept), async (harness) => {
    await harness.publish(Submitted, { id: "1" });
    await harness.settled();
    assertEquals(harness.published(event<{ id: string }>("orders.event")).one().message, { id: "1" });
  }));

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

test("harness: what could never be found is not looked for, and what could never be asked is not stubbed", () =>
  within(createTestHarness(submit), async (harness) => {
    // @ts-expect-error an event is published: that none was sent says nothing
    assertThrows(() => harness.sent(Submitted), ConfigurationError, "See published()");
    // @ts-expect-error a command is sent
    assertThrows(() => harness.published(Submit), ConfigurationError, "See sent()");
    // @ts-expect-error so is a query
    assertThrows(() => harness.published(GetOrder), ConfigurationError, "See sent()");
    // @ts-expect-error an event has no owner
    await assertRejects(() => harness.stub(Submitted, {}), ConfigurationError, "no owner");
    // What has its owner here is none to stand in for, however often one tries.
    for (const _ of [1, 2]) await assertRejects(() => harness.stub(Submit, undefined), DuplicateOwnerError);
  }));

test("harness: options that there are not are refused, and the nearest is named", async () => {
  const typos: readonly (readonly [object, string])[] = [
    [{ consumer: [submit] }, "{ consumers }"],
    [{ bytereference: true }, "{ byReference }"],
    [{ clock: undefined }, "{ clock }"],
    [Submit, "a test harness"],
  ];
  for (const [options, named] of typos) {
    await assertRejects(() => createTestHarness(options as HarnessOptions), ConfigurationError, named);
  }
  await within(createTestHarness(submit), async (harness) => {
    await assertRejects(() => harness.settled({ timout: "1s" } as never), ConfigurationError, "{ timeout }");
  });
});

test("harness: a stub answers for a remote owner, by its topic or its queue", () => {
  const GetPrice = query<{ sku: string }, { price: number }>("prices.get", { to: "queue:pricing" });
  return within(createTestHarness({ consumers: [submit] }), async (harness) => {
    await harness.stub(GetOrder, { status: "paid" });
    await harness.stub(GetPrice, ({ sku }) => ({ price: sku.length }));
    assertEquals(await harness.request(GetOrder, { id: "1" }), { status: "paid" });
    assertEquals(await harness.request(GetPrice, { sku: "abc" }), { price: 3 });
    await harness.stub(GetPrice, () => {
      throw new RangeError("unknown sku");
    });
    const error = await assertRejects(() => harness.request(GetPrice, { sku: "abc" }), RequestFaultError);
    assertMatch(error.message, /unknown sku/);
  });
});

test("harness: a fault that is published is found by its contract", () =>
  within(
    createTestHarness(consumer(Submit, () => {
      throw new TypeError("broken");
    })),
    async (harness) => {
      await harness.send(Submit, { id: "1" });
      await harness.settled();
      assertEquals(harness.faulted(Submit).one().error?.name, "TypeError");
      assertEquals(harness.published(fault(Submit)).one().message.exceptions[0]?.type, "TypeError");
    },
  ));

test("harness: a wrong expectation prints the timeline as a table", () =>
  within(createTestHarness(submit), async (harness) => {
    await harness.send(Submit, { id: "1" }, { messageId: "order-1" });
    await harness.settled();
    const error = assertThrows(() => harness.published(Submitted).none(), HarnessAssertionError);
    assertEquals(error.code, "HERO_HARNESS_ASSERTION");
    assertMatch(error.message, /Expected no published "orders.submitted", and there is 1/);
    const [head = "", line, first, second, third] = harness.timeline().toString().split("\n");
    assertMatch(head, /^time +what +contract +where +attempt +message$/);
    assertMatch(line ?? "", /^[- ]+$/);
    assertMatch(first ?? "", /^\+0\.000 {2}sent +orders\.submit +topic:orders\.submit +order-1$/);
    assertMatch(second ?? "", /^\+0\.000 {2}received +orders\.submit +orders\.submit +1 +order-1$/);
    assertEquals(third?.indexOf("topic:orders.submitted"), head.indexOf("where"));
    assert(error.message.endsWith(harness.timeline().toString()));
    assertThrows(() => harness.consumed(Submitted).one(), HarnessAssertionError);
  }));

test("harness: messages that move by reference are frozen", () => {
  let thrown: unknown;
  const change = consumer(Submit, (order) => {
    try {
      (order as { id: string }).id = "changed";
    } catch (error) {
      thrown = error;
    }
  });
  return within(createTestHarness({ consumers: [change], byReference: true }), async (harness) => {
    const order = { id: "1", lines: [{ sku: "a" }] };
    await harness.send(Submit, order);
    await harness.settled();
    assertInstanceOf(thrown, TypeError);
    assert(harness.consumed(Submit).one().message === order);
    assert(Object.isFrozen(order.lines[0]));
  });
});

test("harness: the same seed gives the same ids and timeline", async () => {
  const run = async (seed: number) => {
    const harness = await createTestHarness({ consumers: [submit, accept], seed });
    for (const id of ["1", "2", "3"]) await harness.send(Submit, { id });
    await harness.settled();
    await harness[Symbol.asyncDispose]();
    return harness.timeline().toString();
  };
  assertEquals(await run(1), await run(1));
  assert(await run(1) !== await run(2));
});

test("harness: a bus that cannot start leaves nothing, and says why", async () => {
  await assertRejects(() => createTestHarness(submit, submit), Error, "orders.submit");
});

test("harness: who waits for it when it is disposed of is told", async () => {
  const harness = await createTestHarness(consumer(Submit, () => new Promise(() => {})));
  await harness.send(Submit, { id: "1" });
  const waiting = harness.settled();
  const rejected = assertRejects(() => waiting, Error, "the test harness");
  await new Promise((resolve) => setTimeout(resolve, 0));
  await harness[Symbol.asyncDispose]();
  await rejected;
  await assertRejects(() => harness.settled(), Error, "the test harness");
});

test("harness: one after another and side by side, each sees its own messages alone (case 79)", async () => {
  const once = async () => {
    const harness = await createTestHarness(submit);
    await harness.send(Submit, { id: "1" });
    await harness.settled();
    harness.consumed(Submit).one();
    harness.published(Accepted).none();
    await harness[Symbol.asyncDispose]();
    assertEquals(harness.clock.pending, 0);
  };
  // Without a timer of real time there is nothing to be slow, or to be left over.
  const { setTimeout: original } = globalThis;
  let timers = 0;
  globalThis.setTimeout = ((...given: Parameters<typeof setTimeout>) => {
    timers++;
    return original(...given);
  }) as typeof setTimeout;
  try {
    for (let round = 0; round < 100; round++) await once();
    await Promise.all(Array.from({ length: 20 }, once));
  } finally {
    globalThis.setTimeout = original;
  }
  assertEquals(timers, 0);
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
