import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { command, ConfigurationError, createMediator, event, query, type Sender, UnsupportedError } from "../../mod.ts";
import { test } from "../support/runner.ts";
import { all, type Trial, trial } from "../support/trial.ts";

interface Order {
  readonly id: string;
}
const Submit = command<Order>("orders.submit");
const Submitted = event<Order>("orders.submitted");
const Get = query<Order, string>("orders.get");
const order: Order = { id: "1" };
const soon = { in: "1h" } as const;

/** All that may be called, as JavaScript calls it. */
type Loose = (options: object) => Promise<unknown>;
type Calls = Readonly<Record<"publish" | "send" | "schedule", Loose>>;

function callsOf(sender: Sender): Calls {
  return {
    publish: (options) => sender.publish(Submitted, order, options),
    send: (options) => sender.send(Submit, order, options),
    schedule: (options) => sender.schedule(Submitted, order, soon, options),
  };
}

/** Runs `look` with what each kind of caller offers, and gives the errors by `caller call`. */
async function refusals(
  t: Trial,
  options: (call: keyof Calls) => object,
): Promise<Readonly<Record<string, ConfigurationError>>> {
  const found: Record<string, ConfigurationError> = {};
  const look = async (caller: string, calls: Calls): Promise<void> => {
    for (const [call, loose] of Object.entries(calls)) {
      found[`${caller} ${call}`] = await assertRejects(
        () => loose(options(call as keyof Calls)),
        ConfigurationError,
      );
    }
  };
  const bus = t.bus();
  const Begin = command<Order>("orders.begin");
  const BeginMany = command<Order>("orders.begin-many");
  bus.endpoint("handler").handle(Begin, (_, ctx) => look("handler", callsOf(ctx)));
  bus.endpoint("batch").batch(BeginMany, { size: 1 }, (_, ctx) => look("batch", callsOf(ctx)));
  bus.endpoint("orders").handle(Submit, () => {}).handle(Submitted, () => {});
  await bus.start();
  await look("bus", callsOf(bus));
  await bus.transaction((_, sender) => look("transaction", callsOf(sender)));
  await bus.send(Begin, order);
  await bus.send(BeginMany, order);
  await t.settled();
  for (const name of ["handler", "batch"]) {
    const failed = await all(bus.errors(name).list());
    assertEquals(failed.map(({ exceptions: [first] }) => first?.message), [], name);
  }
  assertEquals(bus.statistics("orders").received, 0, "What was refused has been sent");
  return found;
}
const callers = ["bus", "transaction", "handler", "batch"];
const every = callers.flatMap((caller) => ["publish", "send", "schedule"].map((call) => `${caller} ${call}`)).sort();

trial("an option that there is not is refused wherever messages are sent, and the nearest is named", async (t) => {
  const errors = await refusals(t, () => ({ tll: 5 }));
  assertEquals(Object.keys(errors).sort(), every);
  for (const [call, { message, details }] of Object.entries(errors)) {
    assertStringIncludes(message, `Cannot use { tll } for ${call.split(" ")[1]}() on "`);
    assertEquals({ ...details }, { option: "tll", nearest: "ttl" }, call);
  }
});

trial("an option of another call is refused, and why is said", async (t) => {
  const wrong = { publish: { to: "queue:orders" }, send: { timeout: "1s" }, schedule: { delay: "1s" } };
  const errors = await refusals(t, (call) => wrong[call]);
  for (const caller of callers) {
    assertStringIncludes(errors[`${caller} publish`]?.message ?? "", "an event goes to whoever subscribes");
    assertStringIncludes(errors[`${caller} send`]?.message ?? "", "{ timeout } for send()");
    assertStringIncludes(errors[`${caller} schedule`]?.message ?? "", "the third argument says when");
  }
});

trial("a handler, a batch and a transaction cannot send into another transaction", async (t) => {
  const errors = await refusals(t, () => ({ tx: {} }));
  for (const caller of ["handler", "batch"]) {
    for (const call of ["publish", "send", "schedule"]) {
      assertStringIncludes(errors[`${caller} ${call}`]?.message ?? "", "part of its own unit of work");
    }
  }
  // A bus without a store has no transaction to join.
  assertStringIncludes(errors["bus send"]?.message ?? "", "has no store");
  assertStringIncludes(errors["transaction schedule"]?.message ?? "", "part of its own unit of work");
});

trial("a transaction that is named and undefined is refused where it would not have been one's own", async (t) => {
  const bus = t.bus();
  bus.endpoint("orders").handle(Submit, () => {}).handle(Submitted, () => {});
  const shared: readonly object[] = [{ tx: undefined }, Object.create({ tx: undefined })];
  const none = "Cannot use { tx: undefined } for ";
  await bus.start();
  const token = await bus.schedule(Submit, order, soon);
  for (const options of shared) {
    for (const [call, loose] of Object.entries(callsOf(bus))) {
      const { message, details } = await assertRejects(() => loose(options), ConfigurationError, none);
      assertStringIncludes(message, `${none}${call}() on "`);
      assertEquals({ ...details }, { option: "tx" });
    }
    await assertRejects(() => bus.unschedule(token, options), ConfigurationError, `${none}unschedule()`);
  }
  await t.settled();
  assertEquals(bus.statistics("orders").received, 0, "What was refused has been sent");
  // What is sent there is part of the transaction in any case.
  await bus.transaction(async (_, sender) => {
    const { publish, send } = callsOf(sender);
    for (const loose of [publish, send]) await loose({ tx: undefined });
  });
  await t.settled();
  assertEquals(bus.statistics("orders").received, 2);
});

trial("a request refuses { tx } and { delay }, and what there is not, and asks nobody", async (t) => {
  const bus = t.bus();
  const refused: string[] = [];
  const wrong: readonly [object, string][] = [
    [{ tx: {} }, "its answer could not come before the commit"],
    [{ delay: "1h" }, "whoever asks waits meanwhile"],
    [{ timeuot: "1s" }, "Write { timeout }"],
  ];
  bus.endpoint("orders").handle(Get, () => "never");
  bus.endpoint("asking").handle(Submit, async (_, ctx) => {
    for (const [options, why] of wrong) {
      await assertRejects(() => ctx.request(Get, order, options), ConfigurationError, why);
      refused.push(why);
    }
  });
  await bus.start();
  for (const [options, why] of wrong) {
    await assertRejects(() => bus.request(Get, order, options), ConfigurationError, why);
  }
  await bus.send(Submit, order);
  await t.settled();
  assertEquals(refused, wrong.map(([, why]) => why));
  assertEquals(bus.statistics("orders").received, 0);
});

trial("an option that is left open, and one from a shared object, are taken", async (t) => {
  const bus = t.bus();
  const ttls: (number | undefined)[] = [];
  bus.endpoint("orders").handle(Submit, (_, ctx) => void ttls.push(ctx.expiresAt?.getTime())).handle(Get, () => "ok");
  await bus.start();
  const shared = Object.create({ ttl: 5000 });
  await bus.send(Submit, order, shared);
  assertEquals(await bus.request(Get, order, { tx: undefined, delay: undefined } as object), "ok");
  await t.settled();
  assertEquals(ttls, [t.clock.now() + 5000]);
  await assertRejects(() => bus.send(Submit, order, Object.create({ tll: 5 })), ConfigurationError, "{ ttl }");
});

trial("start, stop, stream, sink, unschedule and list refuse options that there are not", async (t) => {
  const bus = t.bus();
  bus.endpoint("orders").handle(Submit, () => {});
  await assertRejects(() => bus.start({ singal: undefined } as object), ConfigurationError, "{ signal }");
  await bus.start();
  assertThrows(() => bus.stream(Submitted, { sgnal: undefined } as object), ConfigurationError, "{ signal }");
  const writer = bus.sink(Submitted, { tll: 1 } as object).getWriter();
  writer.closed.catch(() => {});
  await assertRejects(() => writer.write(order), ConfigurationError, "{ ttl }");
  await assertRejects(() => bus.unschedule({ id: "" }, { xt: 1 } as object), ConfigurationError, "{ tx }");
  await assertRejects(() => all(bus.errors("orders").list({ limti: 1 } as object)), ConfigurationError, "{ limit }");
  await assertRejects(() => bus.stop({ deadlin: 1 } as object), ConfigurationError, "{ deadline }");
});

test("a mediator refuses options that there are not, as a bus does, and those that want a queue", async () => {
  const mediator = createMediator().handle(Submit, () => {}).handle(Get, () => "ok");
  const tll: object = { tll: 5 };
  for (
    const call of [
      () => mediator.send(Submit, order, tll),
      () => mediator.publish(Submitted, order, tll),
      () => mediator.request(Get, order, tll),
    ]
  ) await assertRejects(call, ConfigurationError, "{ ttl }");
  await assertRejects(() => mediator.request(Get, order, { delay: 1 } as object), UnsupportedError, "{ delay }");
  assertEquals(await mediator.request(Get, order, { timeout: "1s", key: "k", priority: 1 } as object), "ok");
});
