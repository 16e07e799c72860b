import { assert, assertEquals, assertMatch, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import {
  command,
  ConfigurationError,
  contextKey,
  createMediator,
  event,
  type HandlerContext,
  InvalidHeaderError,
  NoTransactionError,
  query,
  RequestTimeoutError,
  UnsupportedError,
} from "../../mod.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { test } from "../support/runner.ts";

type Context = HandlerContext<unknown, never, undefined>;
const First = command("chain.first");
const Second = command("chain.second");
const Third = event("chain.third");
const Ask = query<{ readonly n: number }, number>("chain.ask");

/** What flows. */
function seen(ctx: Context): Record<string, unknown> {
  const { messageId, correlationId, conversationId, initiatorId, headers } = ctx;
  return { messageId, correlationId, conversationId, initiatorId, headers: { ...headers } };
}

test("a context tells of the call, and makes an id only when it is read", async () => {
  let ids = 0;
  let read = false;
  const mediator = createMediator({ name: "shop", newId: () => `id-${++ids}` }).handle(First, (message, ctx) => {
    assertStrictEquals(ctx.message, message);
    assertStrictEquals(ctx.contract, First);
    assertEquals([ctx.endpoint, ctx.attempt], ["shop", 1]);
    assertThrows(() => ctx.tx, NoTransactionError, '"shop" is a mediator');
    assertEquals([ctx.sentAt, ctx.expiresAt, ctx.sourceAddress], [undefined, undefined, undefined]);
    if (!read) return;
    assertEquals(seen(ctx), {
      messageId: "id-1",
      correlationId: undefined,
      conversationId: "id-1",
      initiatorId: undefined,
      headers: {},
    });
    assertEquals(ctx.messageId, "id-1");
  });
  await mediator.send(First, {});
  assertEquals(ids, 0);
  read = true;
  await mediator.send(First, {});
  assertEquals(ids, 1);
});

test("ids are UUIDv7 and rise unless the mediator is told otherwise", async () => {
  const ids: string[] = [];
  const mediator = createMediator().handle(First, (_, ctx) => void ids.push(ctx.messageId));
  await mediator.send(First, {});
  await mediator.send(First, {});
  assertMatch(ids[0] ?? "", /^[0-9a-f]{8}-[0-9a-f]{4}-7/);
  assert((ids[0] ?? "") < (ids[1] ?? ""));
});

test("conversation, initiator and headers flow on from handler to handler", async () => {
  const all: Record<string, unknown>[] = [];
  let ids = 0;
  const mediator = createMediator({ newId: () => `id-${++ids}` })
    .handle(First, async (_, ctx) => {
      all.push(seen(ctx));
      await ctx.send(Second, {}, { headers: { step: 2, own: true } });
    })
    .handle(Second, async (_, ctx) => {
      all.push(seen(ctx));
      await ctx.publish(Third, {}, { messageId: "third", correlationId: "other" });
    })
    .handle(Third, (_, ctx) => void all.push(seen(ctx)));
  await mediator.send(First, {}, {
    messageId: "first",
    correlationId: "order-1",
    headers: { step: 1, tenant: "acme" },
  });

  assertEquals(all, [
    {
      messageId: "first",
      correlationId: "order-1",
      conversationId: "first",
      initiatorId: undefined,
      headers: { step: 1, tenant: "acme" },
    },
    {
      messageId: "id-1",
      correlationId: undefined,
      conversationId: "first",
      initiatorId: "order-1",
      headers: { step: 2, own: true, tenant: "acme" },
    },
    {
      messageId: "third",
      correlationId: "other",
      conversationId: "first",
      initiatorId: undefined,
      headers: { step: 2, own: true, tenant: "acme" },
    },
  ]);
});

test("what a request without a correlation id leads to carries its request id as initiator", async () => {
  const initiators: (string | undefined)[] = [];
  let ids = 0;
  const mediator = createMediator({ newId: () => `id-${++ids}` })
    .handle(Ask, async ({ n }, ctx) => {
      await ctx.send(First, {});
      await ctx.send(First, {});
      return n;
    })
    .handle(First, (_, ctx) => void initiators.push(ctx.initiatorId));
  await mediator.request(Ask, { n: 1 });
  assertEquals(initiators, ["id-1", "id-1"]);
  await mediator.request(Ask, { n: 1 }, { correlationId: "c" });
  assertEquals(initiators.slice(2), ["c", "c"]);
});

test("a handler asks through its context, and gets the answer or the very error", async () => {
  const failure = new Error("no");
  const mediator = createMediator()
    .handle(Ask, ({ n }) => {
      if (n < 0) throw failure;
      return n * 2;
    })
    .handle(Second, async (_, ctx) => {
      assertEquals(await ctx.request(Ask, { n: 21 }), 42);
      await ctx.request(Ask, { n: -1 });
    });
  const got: unknown = await mediator.send(Second, {}).catch((error) => error);
  assertStrictEquals(got, failure);
});

test("the caller's signal is the handler's, and flows on", async () => {
  const controller = new AbortController();
  const signals: AbortSignal[] = [];
  const mediator = createMediator()
    .handle(First, async (_, ctx) => {
      signals.push(ctx.signal);
      await ctx.send(Second, {});
      await ctx.send(Second, {}, { signal: ctx.signal });
    })
    .handle(Second, (_, ctx) => void signals.push(ctx.signal));
  await mediator.send(First, {}, { signal: controller.signal });
  assertEquals(signals.length, 3);
  for (const signal of signals) assertStrictEquals(signal, controller.signal);
});

test("a signal of a nested call aborts as its own or its caller's does", async () => {
  for (const which of ["own", "caller's"] as const) {
    const [outer, inner] = [new AbortController(), new AbortController()];
    let reason: unknown;
    const mediator = createMediator()
      .handle(First, (_, ctx) => ctx.send(Second, {}, { signal: inner.signal }))
      .handle(Second, (_, ctx) => {
        assertEquals(ctx.signal.aborted, false);
        (which === "own" ? inner : outer).abort(which);
        reason = ctx.signal.reason;
      });
    await mediator.send(First, {}, { signal: outer.signal });
    assertEquals(reason, which);
  }
});

test("without a caller's signal a handler has one that never aborts, of its own", async () => {
  const signals: AbortSignal[] = [];
  const mediator = createMediator().handle(First, (_, ctx) => void signals.push(ctx.signal, ctx.signal));
  await mediator.send(First, {});
  await mediator.send(First, {});
  assertStrictEquals(signals[0], signals[1]);
  assert(signals[0] !== signals[2]);
  assertEquals(signals[0]?.aborted, false);
});

test("a signal that has aborted already rejects with its reason, and nothing is handled", async () => {
  let handled = 0;
  const mediator = createMediator().handle(First, () => void handled++).handle(Third, () => void handled++)
    .handle(Ask, () => ++handled).handle(Second, (_, ctx) => ctx.send(First, {}));
  const reason = new Error("enough");
  const signal = AbortSignal.abort(reason);
  for (
    const call of [
      () => mediator.send(First, {}, { signal }),
      () => mediator.publish(Third, {}, { signal }),
      () => mediator.request(Ask, { n: 1 }, { signal }),
      () => mediator.request(Ask, { n: 1 }, { signal, timeout: "1h" }),
    ]
  ) assertStrictEquals(await call().then(() => "nothing", (error) => error), reason);

  const controller = new AbortController();
  mediator.use(async (_, next) => {
    controller.abort(reason);
    await next();
  });
  assertStrictEquals(
    await mediator.send(Second, {}, { signal: controller.signal }).then(() => "nothing", (error) => error),
    reason,
  );
  assertEquals(handled, 0);
});

test("a long-lived signal gets no listener from 1,000 calls, and aborts nothing afterwards", async () => {
  const controller = new AbortController();
  const { signal } = controller;
  let listeners = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners++;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listeners--;
    remove(...args);
  };
  const mediator = createMediator().handle(First, (_, ctx) => void ctx.signal.aborted).handle(Third, () => {})
    .handle(Ask, ({ n }) => Promise.resolve(n));
  for (let n = 0; n < 1000; n++) {
    await mediator.send(First, {}, { signal });
    await mediator.publish(Third, {}, { signal });
    assertEquals(await mediator.request(Ask, { n }, { signal }), n);
    assertEquals(listeners, 0);
  }
  controller.abort();
});

test("all handlers of an event run, also when the signal aborts meanwhile", async () => {
  const controller = new AbortController();
  const seen: boolean[] = [];
  const mediator = createMediator()
    .handle(Third, () => controller.abort())
    .handle(Third, (_, ctx) => void seen.push(ctx.signal.aborted));
  await mediator.publish(Third, {}, { signal: controller.signal });
  assertEquals(seen, [true]);
});

test("a request with a timeout rejects when it has passed, and aborts its handler", async () => {
  const clock = new FakeClock(1000);
  const gate = Promise.withResolvers<number>();
  let context: Context | undefined;
  const mediator = createMediator({ clock, name: "shop" }).handle(Ask, (_, ctx) => {
    context = ctx as unknown as Context;
    return gate.promise;
  });
  const asked = mediator.request(Ask, { n: 1 }, { timeout: "5s" });
  assertEquals(context?.expiresAt?.getTime(), 6000);
  assertEquals(context?.signal.aborted, false);
  clock.advance(5000);
  const error = await assertRejects(() => asked, RequestTimeoutError);
  assertEquals(error.details, { contract: "chain.ask", address: "shop", timeoutInMs: 5000 });
  assertStrictEquals(context?.signal.reason, error);
  gate.reject(new Error("too late for anybody"));
  await new Promise((resolve) => setTimeout(resolve, 0));
});

test("a request that is answered in time leaves no timer behind", async () => {
  const clock = new FakeClock();
  const mediator = createMediator({ clock }).handle(Ask, ({ n }) => {
    if (n === 0) throw new Error("zero");
    return n;
  });
  assertEquals(await mediator.request(Ask, { n: 1 }, { timeout: 10 }), 1);
  assertEquals(clock.waiting, 0);
  await assertRejects(() => mediator.request(Ask, { n: 0 }, { timeout: 10 }), Error, "zero");
  assertEquals(clock.waiting, 0);
  await mediator.request(Ask, { n: 1 });
  assertEquals(clock.waiting, 0);
});

test("headers that a bus could not send are refused", async () => {
  const mediator = createMediator().handle(First, () => {
    throw new Error("must not run");
  });
  await assertRejects(() => mediator.send(First, {}, { headers: { "hero-id": "x" } }), InvalidHeaderError);
  await assertRejects(() => mediator.send(First, {}, { headers: { a: "\u0000" } }), InvalidHeaderError);
  await assertRejects(() => mediator.send(First, {}, { headers: JSON.parse('{"__proto__":"x"}') }), InvalidHeaderError);
});

test("a value that no middleware has set is asked for in vain", async () => {
  const mediator = createMediator().handle(First, (_, ctx) => ctx.get(contextKey<string>("user")));
  const error = await assertRejects(() => mediator.send(First, {}), ConfigurationError);
  assertMatch(error.message, /"user" on "mediator"/);
});

test("what needs a queue is refused by a typed error that says what to do instead", async () => {
  const asked: readonly [string, (ctx: Context) => Promise<unknown>, RegExp][] = [
    ["defer", (ctx) => ctx.defer("1s"), /Wait in the handler/],
    ["redeliver", (ctx) => ctx.redeliver("1s"), /try again/],
    ["forward", (ctx) => ctx.forward("queue:other"), /ctx\.send\(\)/],
    ["schedule", (ctx) => ctx.schedule(Second, {}, { in: "1s" }), /bus\.schedule\(\)/],
    ["unschedule", (ctx) => ctx.unschedule({ id: "1" }), /bus\.unschedule\(\)/],
    ["delay", (ctx) => ctx.send(Second, {}, { delay: "1s" }), /on a bus/],
    ["to", (ctx) => ctx.send(Second, {}, { to: "queue:other" }), /on a bus/],
  ];
  for (const [what, call, instead] of asked) {
    let rejection: Promise<unknown> | undefined;
    const mediator = createMediator({ name: "shop" }).handle(Second, () => {}).handle(First, (_, ctx) => {
      // What it refuses rejects, and is not thrown.
      rejection = call(ctx as unknown as Context);
      return rejection;
    });
    const error = await assertRejects(() => mediator.send(First, {}), UnsupportedError);
    assert(rejection instanceof Promise);
    assertEquals(error.code, "HERO_UNSUPPORTED");
    assert(error.message.includes(what) && error.message.startsWith(`"shop"`), error.message);
    assertMatch(error.message, instead);
  }
});

test("key, priority and ttl are taken and have nothing to do", async () => {
  let handled = 0;
  const Keyed = command<{ readonly id: string }>("chain.keyed", {
    key: (m) => m.id,
    ttl: "1s",
    priority: 9,
    to: "queue:a",
  });
  const mediator = createMediator().handle(Keyed, () => void handled++).handle(First, async (_, ctx) => {
    await ctx.send(Keyed, { id: "1" }, { key: "k", priority: 1, ttl: "1s" });
  });
  await mediator.send(First, {});
  assertEquals(handled, 1);
});

test("ctx.is wants a contract", async () => {
  const mediator = createMediator().handle(First, (_, ctx) => {
    // @ts-expect-error -- a name is no contract
    assertThrows(() => ctx.is("chain.first"), ConfigurationError);
    assertEquals(ctx.is(First), true);
  });
  await mediator.send(First, {});
});
