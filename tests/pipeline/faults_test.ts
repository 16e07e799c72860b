import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { command, event, fault, query, RequestFaultError } from "../../mod.ts";
import type { Fault, Frame } from "../../mod.ts";
import { retry } from "../../src/pipeline/retry.ts";
import { test } from "../support/runner.ts";
import { all, trial } from "../support/trial.ts";
import { plantable, unhandledDuring } from "../support/unhandled.ts";

interface Order {
  readonly id: string;
}
const Submit = command<Order>("faults.submit", { key: ({ id }) => id });
const OrderEvent = event<Order>("faults.order-event");
const Submitted = event<Order & { readonly total: number }>("faults.submitted", { extends: OrderEvent });
const Get = query<Order, { readonly status: string }>("faults.get");
class PaymentError extends Error {
  override readonly name = "PaymentError";
}

trial("what is given up is told once, with type, message, stack, cause, host and the message itself", async (t) => {
  const bus = t.bus();
  const faults: Fault<Order>[] = [];
  const ids: unknown[] = [];
  bus.endpoint("orders", { retry: retry.immediate(2) }).handle(Submit, () => {
    throw new PaymentError("declined", { cause: new TypeError("no card") });
  });
  bus.endpoint("watch").handle(fault(Submit), (message, ctx) => {
    faults.push(message);
    ids.push([ctx.conversationId, ctx.initiatorId, ctx.sourceAddress, ctx.headers["tenant"]]);
  });
  await bus.start();
  await bus.send(Submit, { id: "1" }, { messageId: "m-1", correlationId: "c-1", headers: { tenant: "north" } });
  await t.settled();
  assertEquals(faults.length, 1);
  const [told] = faults;
  assert(told !== undefined);
  assertEquals(told.faultedMessageId, "m-1");
  assertEquals(told.message, { id: "1" });
  assertEquals(told.timestamp, new Date(t.clock.now()).toISOString());
  assertEquals(told.host.bus, "app");
  assert(told.faultId !== "m-1" && told.faultId.length > 0);
  assertEquals(told.exceptions.length, 1);
  const [exception] = told.exceptions;
  assertEquals([exception?.type, exception?.message], ["PaymentError", "declined"]);
  assertStringIncludes(exception?.stack ?? "", "faults_test");
  assertEquals([exception?.cause?.type, exception?.cause?.message], ["TypeError", "no card"]);
  assertEquals(ids, [["m-1", "c-1", "queue:orders", "north"]]);
});

trial("redeliveries and retries tell nobody: one fault when all are spent", async (t) => {
  const bus = t.bus();
  let faults = 0;
  bus.endpoint("orders", { retry: retry.immediate(1), redeliver: ["1m"] }).handle(Submit, () => {
    throw new Error("down");
  });
  bus.endpoint("watch").handle(fault(Submit), () => void faults++);
  await bus.start();
  await bus.send(Submit, { id: "1" });
  await t.pass(59_000);
  assertEquals(faults, 0);
  await t.pass(1_000);
  assertEquals(faults, 1);
});

trial("an event that fails at two endpoints is told of twice, and handled at the third", async (t) => {
  const bus = t.bus();
  let faults = 0;
  let handled = 0;
  for (const name of ["a", "b"]) {
    bus.endpoint(name).handle(Submitted, () => {
      throw new Error(name);
    });
  }
  bus.endpoint("c").handle(Submitted, () => void handled++);
  bus.endpoint("watch").handle(fault(Submitted), () => void faults++);
  await bus.start();
  await bus.publish(Submitted, { id: "1", total: 1 });
  await t.settled();
  assertEquals([faults, handled], [2, 1]);
});

trial("publishFaults: false tells nobody, and the message is in the error queue all the same", async (t) => {
  const bus = t.bus();
  let faults = 0;
  bus.endpoint("orders", { publishFaults: false }).handle(Submit, () => {
    throw new Error("down");
  });
  bus.endpoint("watch").handle(fault(Submit), () => void faults++);
  await bus.start();
  await bus.send(Submit, { id: "1" });
  await t.settled();
  assertEquals(faults, 0);
  assertEquals((await bus.counts("orders")).failed, 1);
});

trial("who asked is told, also with publishFaults: false; nobody else is", async (t) => {
  const bus = t.bus();
  let faults = 0;
  bus.endpoint("orders", { publishFaults: false }).handle(Get, () => {
    throw new PaymentError("declined");
  });
  bus.endpoint("more").handle(Submit, () => {
    throw new PaymentError("refused");
  });
  bus.endpoint("watch").handle(fault(Get), () => void faults++).handle(fault(Submit), () => void faults++);
  await bus.start();
  const error = await assertRejects(() => bus.request(Get, { id: "1" }), RequestFaultError, "declined");
  assertEquals(error.exceptions[0]?.type, "PaymentError");
  assertStringIncludes(error.exceptions[0]?.stack ?? "", "faults_test");
  await assertRejects(() => bus.request(Submit, { id: "1" }), RequestFaultError, "refused");
  await t.settled();
  assertEquals(faults, 0);
  assertEquals((await bus.counts("orders")).failed, 1);
});

trial("the caller of a request that cannot be read is told, instead of waiting in vain", async (t) => {
  const owner = t.bus({ name: "owner" });
  const Newer = query<Order, { readonly status: string }>("faults.get", { version: 2 });
  owner.endpoint("orders").handle(Newer, () => ({ status: "new" })); // and knows no way from version 1
  const bus = t.bus();
  await owner.start();
  await bus.start();
  const error = await assertRejects(() => bus.request(Get, { id: "1" }), RequestFaultError);
  assertEquals(error.exceptions[0]?.type, "NoUpcastError");
});

trial("the fault of a derived message reaches subscribers to the fault of its base", async (t) => {
  const bus = t.bus();
  const seen: unknown[] = [];
  bus.endpoint("orders").handle(Submitted, () => {
    throw new Error("down");
  });
  bus.endpoint("base").handle(fault(OrderEvent), ({ message }) => void seen.push(["base", message]));
  bus.endpoint("derived").handle(fault(Submitted), ({ message }) => void seen.push(["derived", message]));
  await bus.start();
  await bus.publish(Submitted, { id: "1", total: 5 });
  await t.settled();
  assertEquals(seen.sort(), [["base", { id: "1", total: 5 }], ["derived", { id: "1", total: 5 }]]);
});

trial("a fault that is given up brings no fault: it is in the error queue of whoever watched", async (t) => {
  const bus = t.bus();
  let runs = 0;
  bus.endpoint("orders").handle(Submit, () => {
    throw new Error("down");
  });
  bus.endpoint("watch").handle(fault(Submit), () => {
    runs++;
    throw new Error("the watcher is down, too");
  });
  const published: string[] = [];
  bus.observe({ sent: ({ name, kind }) => void (kind === "fault" && published.push(name)) });
  await bus.start();
  await bus.send(Submit, { id: "1" });
  await t.settled();
  assertEquals(runs, 1);
  assertEquals(published, ["fault:faults.submit"]);
  assertEquals((await bus.counts("watch")).failed, 1);
  assertEquals((await bus.counts("orders")).failed, 1);
});

trial("a fault keeps the key of its message, and a fault address in the message is heeded", async (t) => {
  const bus = t.bus();
  bus.endpoint("orders").handle(Submit, () => {
    throw new Error("down");
  });
  bus.endpoint("own", { subscribe: false }).handle(fault(Submit), () => {
    throw new Error("see the frame");
  });
  await bus.start();
  await t.put("queue:orders", {
    body: `{"id":"1"}`,
    key: "k-1",
    headers: { "hero-id": "m-1", "hero-type": "faults.submit", "hero-meta": `{"fault":"queue:own"}` },
  });
  await t.settled();
  const [parked] = await t.peek("own_error");
  assertEquals(parked?.key, "k-1");
});

trial("a fault has the message as it was sent, whatever its handler has made of it", async (t) => {
  for (const transforms of [[], [{ name: "none", apply: (f: Frame) => f, restore: (f: Frame) => f }]]) {
    const bus = t.bus({ name: `app-${transforms.length}`, prefix: `p${transforms.length}-`, transforms });
    const told: unknown[] = [];
    bus.endpoint("orders").handle(Submit, (order) => {
      // As an entity is put beside the message that names it: it could not be sent.
      Object.assign(order, { id: "changed", entity: new PaymentError(), order });
      throw new Error("broken");
    });
    bus.endpoint("watch").handle(fault(Submit), ({ message }) => void told.push(message));
    await bus.start();
    await bus.send(Submit, { id: "1" });
    await t.settled();
    assertEquals(told, [{ id: "1" }]);
  }
});

trial("who asked is told of a failure, also where a handler put into the message what cannot be sent", async (t) => {
  const bus = t.bus();
  bus.endpoint("orders").handle(Get, (order): never => {
    Object.assign(order, { order });
    throw new Error("broken");
  });
  await bus.start();
  const asking = bus.request(Get, { id: "1" });
  asking.catch(() => {});
  await t.settled();
  assertEquals(bus.statistics("orders").faulted, 1);
  await t.pass(60_000);
  await assertRejects(() => asking, RequestFaultError, "broken");
});

trial("long texts of an error are cut in the fault and in the headers", async (t) => {
  const bus = t.bus();
  const told: Fault<Order>[] = [];
  bus.endpoint("orders").handle(Submit, () => {
    throw new Error("x".repeat(1_000_000));
  });
  bus.endpoint("watch").handle(fault(Submit), (message) => void told.push(message));
  await bus.start();
  await bus.send(Submit, { id: "1" });
  await t.settled();
  const length = told[0]?.exceptions[0]?.message.length ?? NaN;
  assert(length > 100 && length < 5_000, `${length}`);
  const [parked] = await t.peek("orders_error");
  const size = Object.values(parked?.frame.headers ?? {}).reduce<number>((sum, each) => sum + String(each).length, 0);
  assert(size > 1_000 && size < 16 * 1024, `${size}`);
  assertStringIncludes((await all(bus.errors("orders").list()))[0]?.exceptions[0]?.message ?? "", "xxx");
});

test("a rejection that nobody handles would be seen", async () => {
  const left = new Error("left alone");
  const seen = await unhandledDuring(() => {
    Promise.reject(left);
    return Promise.resolve();
  });
  assertEquals(seen, [left]);
}, { skip: plantable ? undefined : "its runner fails a test for any rejection that is left" });

trial("one throw harms one message: those before, after and beside it are handled", async (t) => {
  const bus = t.bus();
  const handled: string[] = [];
  bus.endpoint("sync").handle(Submitted, ({ id }) => {
    if (id === "bad") throw new Error("sync");
    handled.push(`sync ${id}`);
  });
  bus.endpoint("async").handle(Submitted, async ({ id }) => {
    await Promise.resolve();
    if (id === "bad") throw new Error("async");
    handled.push(`async ${id}`);
  });
  bus.endpoint("other").handle(OrderEvent, ({ id }) => void handled.push(`other ${id}`));
  const told: string[] = [];
  bus.endpoint("watch").handle(
    fault(Submitted),
    ({ exceptions: [first], message }) => void told.push(`${first?.message} ${message?.id}`),
  );
  await bus.start();
  const unhandled = await unhandledDuring(async () => {
    for (const id of ["1", "bad", "2"]) await bus.publish(Submitted, { id, total: 1 });
    await t.settled();
  });
  assertEquals(unhandled, [], "A rejection was left to the process");
  assertEquals(told.sort(), ["async bad", "sync bad"], "One fault for each endpoint that gave it up");
  assertEquals(handled.sort(), ["async 1", "async 2", "other 1", "other 2", "other bad", "sync 1", "sync 2"]);
  assertEquals([(await bus.counts("sync")).failed, (await bus.counts("async")).failed], [1, 1]);
});

trial(
  "an endpoint that keeps no failed messages counts them, tells of them, and makes no queues for them",
  async (t) => {
    const Fragile = event<{ id: number }>("keep.fragile");
    const bus = t.bus();
    const told: string[] = [];
    bus.observe({ faulted: ({ error }) => void told.push(error.message) });
    bus.endpoint("keeper", { keepFailed: false }).handle(Fragile, () => {
      throw new Error("broken");
    });
    const changes = await bus.deploy("plan");
    assertEquals(changes.filter(({ entity }) => /_(error|skipped)$/.test(entity)), []);
    await bus.start();
    await bus.publish(Fragile, { id: 1 });
    await t.settled();
    assertEquals(told, ["broken"]);
    assertEquals(bus.statistics("keeper").faulted, 1);
    assertEquals(await bus.counts("keeper"), { waiting: 0, active: 0, delayed: 0, failed: 0, skipped: 0 });
  },
);
