import { assert, assertEquals, assertInstanceOf, assertRejects, assertStrictEquals } from "@std/assert";
import {
  command,
  consumer,
  contextKey,
  createMediator,
  event,
  HandlersFailedError,
  type Mediator,
  NoHandlerError,
  query,
} from "../../mod.ts";
import { test } from "../support/runner.ts";

const Submit = command<{ readonly orderId: string }>("orders.submit");
const Submitted = event<{ readonly orderId: string }>("orders.submitted");
const GetStatus = query<{ readonly orderId: string }, { readonly status: string }>("orders.get-status");

/** Records what happened, in order. */
function log(): { readonly lines: string[]; readonly add: (line: string) => void } {
  const lines: string[] = [];
  return { lines, add: (line) => void lines.push(line) };
}

test("a command is handled before send returns, where its handler is synchronous", async () => {
  const { lines, add } = log();
  const mediator = createMediator().handle(Submit, ({ orderId }) => add(orderId));

  const sent = mediator.send(Submit, { orderId: "1" });
  assertEquals(lines, ["1"]);
  assertEquals(await sent, undefined);
});

test("send resolves only when an asynchronous handler is done", async () => {
  const gate = Promise.withResolvers<void>();
  const { lines, add } = log();
  const mediator = createMediator().handle(Submit, async () => {
    await gate.promise;
    add("handled");
  });

  const sent = mediator.send(Submit, { orderId: "1" }).then(() => add("sent"));
  gate.resolve();
  await sent;
  assertEquals(lines, ["handled", "sent"]);
});

test("a message is handed over as it is, not as a copy", async () => {
  const message = { orderId: "1", when: new Date(0), run: () => 1 };
  let got: unknown;
  await createMediator().handle(Submit, (each) => void (got = each)).send(Submit, message);

  assertStrictEquals(got, message);
});

test("the caller gets the very error that a handler throws, sooner or later, also what is no Error", async () => {
  const early = new RangeError("early");
  const late = new TypeError("late");
  for (
    const [thrown, handler] of [
      [early, () => {
        throw early;
      }],
      [late, async () => {
        await Promise.resolve();
        throw late;
      }],
      ["text", () => Promise.reject("text")],
    ] as const
  ) {
    const Ask = query<{ readonly orderId: string }, number>("orders.ask");
    const mediator = createMediator().handle(Submit, handler).handle(Submitted, handler).handle(Ask, handler);
    for (
      const call of [
        () => mediator.send(Submit, { orderId: "1" }),
        () => mediator.publish(Submitted, { orderId: "1" }),
        () => mediator.request(Ask, { orderId: "1" }),
      ]
    ) {
      const got: unknown = await call().then(() => "nothing", (error) => error);
      assertStrictEquals(got, thrown);
    }
  }
});

test("one throw ends no subscription, and no error is left unhandled", async () => {
  const unhandled: unknown[] = [];
  const listen = (event: PromiseRejectionEvent): void => {
    event.preventDefault();
    unhandled.push(event.reason);
  };
  globalThis.addEventListener?.("unhandledrejection", listen);
  const { lines, add } = log();
  let first = true;
  const mediator = createMediator()
    .handle(Submitted, () => {
      add("plain");
      if (first) throw new Error("the first time");
    })
    .handle(Submitted, async () => {
      add("async");
      await Promise.resolve();
      if (first) throw new Error("a turn later");
    })
    .handle(Submitted, () => add("other"));

  const error = await assertRejects(() => mediator.publish(Submitted, { orderId: "1" }), HandlersFailedError);
  first = false;
  await mediator.publish(Submitted, { orderId: "2" });
  await new Promise((resolve) => setTimeout(resolve, 0));
  globalThis.removeEventListener?.("unhandledrejection", listen);

  assertEquals(lines, ["plain", "async", "other", "plain", "async", "other"]);
  assertEquals(error.errors.map((each) => (each as Error).message), ["the first time", "a turn later"]);
  assertStrictEquals(error.cause, error.errors[0]);
  assertEquals(error.details, { contract: "orders.submitted", mediator: "mediator", failed: 2 });
  assertEquals(unhandled, []);
});

test("of several handlers one that fails does not keep the others from running, and its error is not wrapped", async () => {
  const failure = new Error("mine");
  const { lines, add } = log();
  const mediator = createMediator()
    .handle(Submitted, () => add("first"))
    .handle(Submitted, () => Promise.reject(failure))
    .handle(Submitted, () => add("third"));

  const got: unknown = await mediator.publish(Submitted, { orderId: "1" }).catch((error) => error);
  assertStrictEquals(got, failure);
  assertEquals(lines, ["first", "third"]);
});

test("handlers of one event run one after the other, as they were added", async () => {
  const { lines, add } = log();
  const slow = async (): Promise<void> => {
    add("first begins");
    await new Promise((resolve) => setTimeout(resolve, 1));
    add("first ends");
  };
  await createMediator().handle(Submitted, slow).handle(Submitted, () => add("second")).publish(Submitted, {
    orderId: "1",
  });
  assertEquals(lines, ["first begins", "first ends", "second"]);
});

test("an event that nothing handles is no error, a command or query is", async () => {
  const mediator = createMediator({ name: "shop" });
  await mediator.publish(Submitted, { orderId: "1" });

  for (
    const call of [
      () => mediator.send(Submit, { orderId: "1" }),
      () => mediator.request(GetStatus, { orderId: "1" }),
      () => mediator.request(Submit, { orderId: "1" }),
    ]
  ) {
    const error = await assertRejects(call, NoHandlerError);
    assertEquals(error.code, "HERO_NO_HANDLER");
    assertEquals(error.details["mediator"], "shop");
  }
});

test("a handler counts from the next call on, whenever it is added", async () => {
  const { lines, add } = log();
  const mediator = createMediator();
  await mediator.publish(Submitted, { orderId: "1" });
  await assertRejects(() => mediator.send(Submit, { orderId: "1" }), NoHandlerError);

  mediator.handle(Submit, () => add("command"));
  mediator.handle(Submitted, () => {
    add("event");
    mediator.handle(Submitted, () => add("added by a handler"));
  });
  await mediator.send(Submit, { orderId: "2" });
  await mediator.publish(Submitted, { orderId: "2" });
  assertEquals(lines, ["command", "event"]);

  await mediator.publish(Submitted, { orderId: "3" });
  assertEquals(lines.slice(2), ["event", "added by a handler"]);
});

test("handlers of a base get what derives from it, in the order in which they were added", async () => {
  const OrderEvent = event<{ readonly orderId: string }>("orders.event");
  const Shipped = event<{ readonly orderId: string; readonly parcel: string }>("orders.shipped", {
    extends: OrderEvent,
  });
  const { lines, add } = log();
  const mediator = createMediator()
    .handle(OrderEvent, (order, ctx) => {
      const parcel = ctx.is(Shipped) ? ctx.message.parcel : "none";
      add(`base ${order.orderId} ${ctx.contract.name} ${parcel}`);
    })
    .handle(Shipped, ({ parcel }) => add(`derived ${parcel}`))
    .handle(OrderEvent, () => add("base again"));

  await mediator.publish(Shipped, { orderId: "1", parcel: "p" });
  assertEquals(lines, ["base 1 orders.shipped p", "derived p", "base again"]);

  lines.length = 0;
  await mediator.publish(OrderEvent, { orderId: "2" });
  assertEquals(lines, ["base 2 orders.event none", "base again"]);
});

test("a command without an owner of its own goes to its base's, which answers", async () => {
  const Change = command<{ readonly orderId: string }, string>("orders.change");
  const Cancel = command<{ readonly orderId: string }, string>("orders.cancel", { extends: Change });
  const mediator = createMediator().handle(Change, ({ orderId }, ctx) => `base ${orderId} ${ctx.contract.name}`);
  assertEquals(await mediator.request(Cancel, { orderId: "1" }), "base 1 orders.cancel");

  mediator.handle(Cancel, () => "own");
  assertEquals(await mediator.request(Cancel, { orderId: "1" }), "own");
});

test("a query is answered by what its handler returns, now or later", async () => {
  const sync = createMediator().handle(GetStatus, ({ orderId }) => ({ status: `new ${orderId}` }));
  assertEquals(await sync.request(GetStatus, { orderId: "1" }), { status: "new 1" });

  const late = createMediator().handle(GetStatus, async () => {
    await Promise.resolve();
    return { status: "late" };
  });
  assertEquals(await late.request(GetStatus, { orderId: "1" }), { status: "late" });
});

test("a request that is answered early resolves when its handler is done, and with its failure if that fails", async () => {
  const { lines, add } = log();
  const mediator = createMediator().handle(GetStatus, async (_, ctx) => {
    const early = await ctx.respond({ status: "early" });
    await ctx.respond({ status: "twice" });
    add("done");
    return early;
  });
  assertEquals(await mediator.request(GetStatus, { orderId: "1" }), { status: "early" });
  assertEquals(lines, ["done"]);

  const failure = new Error("after the answer");
  const failing = createMediator().handle(GetStatus, async (_, ctx) => {
    await ctx.respond({ status: "early" });
    throw failure;
  });
  const got: unknown = await failing.request(GetStatus, { orderId: "1" }).catch((error) => error);
  assertStrictEquals(got, failure);
});

test("ctx.respond does nothing where nobody asked", async () => {
  const Ask = command<{ readonly orderId: string }, number>("orders.ask");
  const mediator = createMediator().handle(Ask, (_, ctx) => ctx.respond(1));
  await mediator.send(Ask, { orderId: "1" });
  assertEquals(await mediator.request(Ask, { orderId: "1" }), 1);
});

test("a request of a command without a reply resolves when it is handled", async () => {
  const { lines, add } = log();
  const mediator = createMediator().handle(Submit, async () => {
    await Promise.resolve();
    add("handled");
  });
  assertEquals(await mediator.request(Submit, { orderId: "1" }), undefined);
  assertEquals(lines, ["handled"]);
});

test("a consumer that was written for a bus runs here as it is", async () => {
  const { lines, add } = log();
  const submit = consumer(Submit, ({ orderId }, ctx) => add(`${orderId} ${ctx.messageId}`));
  const status = consumer(GetStatus, () => ({ status: "new" }));
  const mediator = createMediator().add(submit).add(status);

  await mediator.send(Submit, { orderId: "1" }, { messageId: "m" });
  assertEquals(lines, ["1 m"]);
  assertEquals(await mediator.request(GetStatus, { orderId: "1" }), { status: "new" });
});

test("middleware runs around each handler, the first outermost, and shares values with it", async () => {
  const user = contextKey<string>("user");
  const { lines, add } = log();
  const mediator: Mediator = createMediator()
    .handle(GetStatus, (_, ctx) => {
      add("handler");
      return { status: ctx.get(user) };
    })
    .handle(Submitted, (_, ctx) => add(`one ${ctx.get(user)}`))
    .handle(Submitted, () => add("two"));
  mediator.use(async (ctx, next) => {
    add(`outer ${ctx.contract.name}`);
    ctx.set(user, "ann");
    await next();
    add("outer ends");
  });
  mediator.use((_, next) => {
    add("inner");
    return next();
  });

  assertEquals(await mediator.request(GetStatus, { orderId: "1" }), { status: "ann" });
  assertEquals(lines, ["outer orders.get-status", "inner", "handler", "outer ends"]);
  lines.length = 0;
  await mediator.publish(Submitted, { orderId: "1" });
  assertEquals(lines, [
    "outer orders.submitted",
    "inner",
    "one ann",
    "outer ends",
    "outer orders.submitted",
    "inner",
    "two",
    "outer ends",
  ]);
});

test("middleware sees what a handler throws, can try it again, and can keep it from running", async () => {
  let calls = 0;
  const mediator = createMediator()
    .use(async (_, next) => {
      try {
        await next();
      } catch (error) {
        assertInstanceOf(error, RangeError);
        await next();
      }
    })
    .handle(GetStatus, () => {
      if (++calls === 1) throw new RangeError("once");
      return { status: `call ${calls}` };
    });
  assertEquals(await mediator.request(GetStatus, { orderId: "1" }), { status: "call 2" });

  const closed = createMediator().use(() => Promise.resolve()).handle(Submit, () => {
    throw new Error("must not run");
  });
  await closed.send(Submit, { orderId: "1" });
});

test("a thenable that is no Promise is waited for", async () => {
  let settled = false;
  const thenable = (): PromiseLike<{ readonly status: string }> => ({
    then: (resolve) => {
      settled = true;
      return Promise.resolve({ status: "then" }).then(resolve);
    },
  });
  const mediator = createMediator().handle(Submit, thenable).handle(Submitted, thenable).handle(Submitted, thenable)
    // A handler from JavaScript may give any thenable.
    .handle(GetStatus, thenable as () => Promise<{ readonly status: string }>);
  for (
    const call of [
      () => mediator.send(Submit, { orderId: "1" }),
      () => mediator.publish(Submitted, { orderId: "1" }),
    ]
  ) {
    settled = false;
    await call();
    assert(settled);
  }
  assertEquals(await mediator.request(GetStatus, { orderId: "1" }), { status: "then" });
});

test("two mediators know nothing of one another", async () => {
  const { lines, add } = log();
  const one = createMediator().handle(Submit, () => add("one"));
  const two = createMediator().handle(Submit, () => add("two"));
  await one.send(Submit, { orderId: "1" });
  await two.send(Submit, { orderId: "1" });
  assertEquals(lines, ["one", "two"]);
});
