import { assert, assertEquals, assertInstanceOf, assertMatch, assertRejects, assertThrows } from "@std/assert";
import {
  ConfigurationError,
  consumer,
  createBus,
  DuplicateOwnerError,
  event,
  fault,
  memory,
  query,
  RequestFaultError,
  UnserializableError,
} from "../../mod.ts";
import type { Bus } from "../../mod.ts";
import { macrotask } from "../../src/runtime/macrotask.ts";
import { createTestHarness, HarnessAssertionError, type HarnessOptions, simulate } from "../../src/testing/mod.ts";
import { test } from "../support/runner.ts";
import { unhandledDuring } from "../support/unhandled.ts";
import { accept, Accepted, GetOrder, Submit, submit, Submitted, within } from "./harness_support.ts";

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

test("harness: what was sent is shown as it was then, whatever its sender makes of it later", () => {
  const configure = (bus: Bus): void => {
    bus.endpoint("billing", { outbox: true }).handle(Submit, async ({ id }, ctx) => {
      const accepted = { id, lines: [{ sku: "a" }] };
      await ctx.publish(Submitted, accepted);
      accepted.lines.push({ sku: "b" }); // before its unit commits
    });
  };
  return within(createTestHarness({ configure }), async (harness) => {
    const [at, lines] = [new Date(0), [{ sku: "a" }]];
    const order: Record<string, unknown> = { id: "1", at, lines, more: undefined };
    order["sample"] = lines[0];
    const send = (message: object) => harness.send(Submit, message as { id: string });
    const sending = send(order);
    order["id"] = "changed";
    lines.length = 0;
    await sending;
    await harness.settled();
    const { message } = harness.sent(Submit).one();
    const shown: unknown = message;
    assertEquals(shown, { id: "1", at, lines: [{ sku: "a" }], more: undefined, sample: { sku: "a" } });
    const published: unknown = harness.published(Submitted).one().message;
    assertEquals(published, { id: "1", lines: [{ sku: "a" }] });
    assertEquals(harness.published(Submitted).one(({ id }) => id === "1").message.id, "1");
    const circle: Record<string, unknown> = { id: "2" };
    circle["self"] = circle;
    await assertRejects(() => send(circle), UnserializableError);
    const trap = {
      get id(): string {
        throw new Error("no id");
      },
    };
    await assertRejects(() => send(trap));
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
  await new Promise<void>(macrotask);
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

test("a configure that is async is refused: its endpoints would come too late, and its failure would be nobody's", async () => {
  const late = async (bus: Bus): Promise<void> => {
    await new Promise<void>((resolve) => macrotask(resolve));
    bus.endpoint("late").add(submit);
  };
  const failures = await unhandledDuring(async () => {
    await assertRejects(() => createTestHarness({ configure: late }), ConfigurationError, "it gives a promise");
    let told = 0;
    await simulate({ seeds: [1] }, async (world) => {
      await assertRejects(() => world.instance("orders", late), ConfigurationError, 'the instance "orders"');
      told++;
    }, () => {});
    assertEquals(told, 1);
  });
  assertEquals(failures, []);
});

test("consumers that are no list, and a configure that is no function, are refused", async () => {
  const consumer = { consumers: {} } as never;
  await assertRejects(() => createTestHarness(consumer), ConfigurationError, "they are no list");
  await assertRejects(() => createTestHarness({ configure: 5 } as never), ConfigurationError, "5 is no function");
});

test("what a harness has by itself, and options that are none, are refused with what to do instead", async () => {
  const create = createTestHarness as unknown as (...given: readonly unknown[]) => Promise<unknown>;
  const cases: readonly (readonly [given: readonly unknown[], says: string])[] = [
    [[createBus({ name: "shop" })], "Say { configure }"],
    [[{ transport: memory() }], "{ transport }: it has one of its own"],
    [[{ clock: {} }], "{ clock }: it has one of its own"],
    [[[submit]], "Cannot use a list as the options of a test harness"],
    [[submit, { seed: 3 }], "Say { consumers: [submitOrder], … }"],
    [[{ seed: 3 }, submit], "Say { consumers: [submitOrder], … }"],
  ];
  for (const [given, says] of cases) await assertRejects(() => create(...given), ConfigurationError, says);
});

test("harness: what is unhandled says why, and so does the error where it was not expected", () => {
  const later = consumer(Submit, async (_, ctx) => {
    if (ctx.message.id === "1") await ctx.defer("1h");
  });
  const options: HarnessOptions = { configure: (bus) => bus.endpoint("orders", { outbox: true }).add(later) };
  return within(createTestHarness(options), async (harness) => {
    await harness.send(Submit, { id: "1" });
    await harness.send(Submit, { id: "2" }, { messageId: "twice" });
    await harness.send(Submit, { id: "2" }, { messageId: "twice" });
    await harness.settled();
    assertEquals(harness.unhandled(Submit).all().map(({ what, message }) => [what, message.id]), [
      ["deferred", "1"],
      ["duplicate", "2"],
    ]);
    assertEquals(harness.consumed(Submit).one(({ id }) => id === "2").what, "consumed");
    assertThrows(() => harness.unhandled(Submit).none(), HarnessAssertionError, `no unhandled "${Submit.name}"`);
  });
});
