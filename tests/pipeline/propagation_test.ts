import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { command } from "../../src/contracts/command.ts";
import { event } from "../../src/contracts/event.ts";
import { fault } from "../../src/contracts/fault.ts";
import { query } from "../../src/contracts/query.ts";
import { InvalidHeaderError } from "../../src/errors/sending.ts";
import { fromHeaders } from "../../src/envelope/wire.ts";
import { memory } from "../../transports/memory/mod.ts";
import type { MessageContext } from "../../src/pipeline/context.ts";
import { type Trial, trial } from "../support/trial.ts";

interface Order {
  readonly orderId: string;
}
const Submit = command<Order>("orders.submit");
const Submitted = event<Order>("orders.submitted");
const Refused = command<Order>("orders.refused");
const Get = query<Order, { status: string }>("orders.get");
const order: Order = { orderId: "42" };

/** What a handler can tell of its message. */
function facts(ctx: MessageContext) {
  const { messageId, correlationId, conversationId, initiatorId, sourceAddress, sentAt, expiresAt } = ctx;
  return {
    messageId,
    correlationId,
    conversationId,
    initiatorId,
    sourceAddress,
    sentAt: sentAt?.getTime(),
    expiresAt: expiresAt?.getTime(),
    headers: { ...ctx.headers },
  };
}
type Facts = ReturnType<typeof facts>;

/** A bus on which `submit` publishes `submitted`; what both saw. */
async function chain(
  trial: Trial,
  headers?: Record<string, string | number>,
  options: Parameters<Trial["bus"]>[0] = {},
): Promise<{
  readonly seen: Map<string, Facts>;
  send(options?: Parameters<ReturnType<Trial["bus"]>["send"]>[2]): Promise<void>;
}> {
  const seen = new Map<string, Facts>();
  const bus = trial.bus(options);
  bus.endpoint("orders").handle(Submit, async (message, ctx) => {
    seen.set("submit", facts(ctx));
    await ctx.publish(Submitted, message, headers === undefined ? {} : { headers });
  });
  bus.endpoint("billing").handle(Submitted, (_, ctx) => void seen.set("submitted", facts(ctx)));
  await bus.start();
  return {
    seen,
    send: async (options) => {
      await bus.send(Submit, order, options);
      await trial.settled();
    },
  };
}
function of(seen: Map<string, Facts>, name: string): Facts {
  const found = seen.get(name);
  assert(found !== undefined, `"${name}" was not handled`);
  return found;
}

trial("a first message begins a conversation, has no initiator, and comes from its bus", async (trial) => {
  const { seen, send } = await chain(trial);
  await send();
  const first = of(seen, "submit");
  assertEquals(first.conversationId, first.messageId);
  assertEquals([first.correlationId, first.initiatorId], [undefined, undefined]);
  assertEquals(first.sourceAddress, "queue:app");
  assertEquals([first.sentAt, first.expiresAt], [trial.clock.now(), undefined]);
});

trial(
  "what a handler sends stays in the conversation, and names the handler's endpoint as its source",
  async (trial) => {
    const { seen, send } = await chain(trial);
    await send();
    const [first, next] = [of(seen, "submit"), of(seen, "submitted")];
    assertEquals(next.conversationId, first.conversationId);
    assertEquals(next.sourceAddress, "queue:orders");
    assertNotEquals(next.messageId, first.messageId);
  },
);

trial("the correlation id of a message is the initiator of what follows, and is not copied", async (trial) => {
  const { seen, send } = await chain(trial);
  await send({ correlationId: "order-42" });
  assertEquals(of(seen, "submit").correlationId, "order-42");
  assertEquals(of(seen, "submitted").initiatorId, "order-42");
  assertEquals(of(seen, "submitted").correlationId, undefined);
});

trial("without a correlation id the request's id is the initiator", async (trial) => {
  const bus = trial.bus();
  const initiators: (string | undefined)[] = [];
  bus.endpoint("orders").handle(Get, async (message, ctx) => {
    await ctx.publish(Submitted, message);
    return { status: "new" };
  });
  bus.endpoint("billing").handle(Submitted, (_, ctx) => void initiators.push(ctx.initiatorId));
  await bus.start();
  await bus.request(Get, order);
  await bus.request(Get, order, { correlationId: "c" });
  await trial.settled();
  assertEquals(initiators.length, 2);
  assertEquals(initiators[1], "c");
  assert(/^[0-9a-f-]{36}$/.test(initiators[0] ?? ""), `${initiators[0]} is not the request's id`);
});

trial("user headers flow on, unless they are set anew", async (trial) => {
  const { seen, send } = await chain(trial, { attempt: 2, step: "two" });
  await send({ headers: { tenant: "acme", attempt: 1 } });
  assertEquals(of(seen, "submit").headers, { tenant: "acme", attempt: 1 });
  assertEquals(of(seen, "submitted").headers, { tenant: "acme", attempt: 2, step: "two" });
});

trial("infrastructure headers never flow on, however they came", async (trial) => {
  const { seen } = await chain(trial);
  await trial.put("topic:orders.submit", {
    body: `{"orderId":"42"}`,
    headers: {
      "hero-id": "m-1",
      "hero-type": "orders.submit",
      "hero-meta": `{"conversation":"v-1","correlation":"c-1","source":"queue:elsewhere"}`,
      "hero-attempts": 4,
      "hero-redeliveries": 2,
      "hero-reason": "fault",
      "hero-own": "x",
      "x-death": "y",
      "x-delivery-count": 3,
      "x-opt-key": "k",
      "MT-Redelivery-Count": 2,
      "mt-own": "copied",
      tenant: "acme",
    },
  });
  await trial.settled();
  assertEquals(of(seen, "submit").headers, { tenant: "acme", "mt-own": "copied" });
  const next = of(seen, "submitted");
  assertEquals(next.headers, { tenant: "acme", "mt-own": "copied" });
  assertEquals([next.conversationId, next.initiatorId], ["v-1", "c-1"]);
});

trial("a message that came without a conversation begins none for what follows but its own", async (trial) => {
  const { seen } = await chain(trial);
  await trial.put("topic:orders.submit", { body: `{"orderId":"42"}`, headers: { "hero-type": "orders.submit" } });
  await trial.settled();
  const next = of(seen, "submitted");
  assertEquals(of(seen, "submit").conversationId, undefined);
  assertEquals(next.conversationId, next.messageId);
});

trial("trace context and baggage are carried on to what follows", async (trial) => {
  const { seen } = await chain(trial);
  const trace = {
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    tracestate: "vendor=1",
    baggage: "user=42",
  };
  const client = await trial.client();
  await client.deploy({
    queues: [{ name: "tap", extensions: [] }],
    topics: [],
    bindings: [{ topic: "orders.submitted", to: "queue:tap" }],
  }, "apply");
  await trial.put("topic:orders.submit", {
    body: `{"orderId":"42"}`,
    headers: { "hero-type": "orders.submit", ...trace },
  });
  await trial.settled();
  assert(seen.has("submitted"));
  const [copy] = await trial.peek("tap");
  const { traceparent, tracestate, baggage } = copy?.frame.headers ?? {};
  assertEquals({ traceparent, tracestate, baggage }, trace);
});

for (
  const traceparent of ["00-" + "0".repeat(32) + "-b7ad6b7169203331-01", "", 42, "00-a-b", new Uint8Array([0xff, 0])]
) {
  trial(`a bad traceparent, ${String(traceparent).slice(0, 8) || "empty"}, does not stop delivery`, async (trial) => {
    const { seen } = await chain(trial);
    await trial.put("topic:orders.submit", {
      body: `{"orderId":"42"}`,
      headers: { "hero-type": "orders.submit", traceparent, tracestate: "a=1", baggage: "b".repeat(9000) },
    });
    await trial.settled();
    assert(seen.has("submitted"));
  });
}

trial("a ttl and a priority are the message's own: what follows has neither", async (trial) => {
  const priorities: unknown[] = [];
  const transport = memory({ broker: trial.broker });
  const { send: sendAll } = transport;
  transport.send = (batch) => {
    priorities.push(...batch.map(({ priority }) => priority));
    return sendAll.call(transport, batch);
  };
  const { seen, send } = await chain(trial, undefined, { transport });
  await send({ ttl: "1m", priority: 5 });
  assertEquals(of(seen, "submit").expiresAt, trial.clock.now() + 60_000);
  assertEquals(of(seen, "submitted").expiresAt, undefined);
  assertEquals(priorities, [5, undefined]);
});

for (const outcome of ["an answer", "a fault in the place of an answer"]) {
  trial(`${outcome} lives as long as its request, and no longer`, async (trial) => {
    const client = await trial.client();
    await client.deploy({ queues: [{ name: "answers", extensions: [] }], topics: [], bindings: [] }, "apply");
    const bus = trial.bus();
    bus.endpoint("orders").handle(Get, () => {
      if (outcome === "an answer") return { status: "new" };
      throw new RangeError("no");
    });
    await bus.start();
    const expires = trial.clock.now() + 7_000;
    await trial.put("topic:orders.get", {
      body: `{"orderId":"42"}`,
      headers: {
        "hero-id": "m-1",
        "hero-type": "orders.get",
        "hero-meta": JSON.stringify({ request: "r-1", response: "queue:answers", expires }),
      },
    });
    await trial.settled();
    const [answer] = await trial.peek("answers");
    assert(answer !== undefined, "Nobody has answered");
    const envelope = fromHeaders(answer.frame, () => "");
    assertEquals([envelope.requestId, envelope.expiresAt], ["r-1", expires]);
    await trial.pass(7_000);
    assertEquals(await trial.peek("answers"), []);
  });
}

trial(
  "a request lives as long as its timeout, and its reply carries the user's headers",
  async (trial) => {
    const bus = trial.bus();
    const replies: Readonly<Record<string, unknown>>[] = [];
    let asked: Facts | undefined;
    bus.endpoint("orders").handle(Get, (_, ctx) => {
      asked = facts(ctx);
      return { status: "new" };
    });
    bus.useSend((ctx, next) => {
      if (ctx.kind === "respond") replies.push({ ...ctx.headers });
      return next();
    });
    await bus.start();
    await bus.request(Get, order, { headers: { tenant: "acme" }, timeout: "5s" });
    assertEquals(asked?.expiresAt, trial.clock.now() + 5000);
    assertEquals(replies, [{ tenant: "acme" }]);
  },
);

trial("a fault stays in the conversation, with the headers of what failed", async (trial) => {
  const bus = trial.bus();
  const seen: Facts[] = [];
  let failed: Facts | undefined;
  bus.endpoint("orders").handle(Refused, (_, ctx) => {
    failed = facts(ctx);
    throw new RangeError("no");
  });
  bus.endpoint("failures").handle(fault(Refused), (_, ctx) => void seen.push(facts(ctx)));
  await bus.start();
  await bus.send(Refused, order, { correlationId: "c-1", headers: { tenant: "acme" } });
  await trial.settled();
  assertEquals(seen.length, 1);
  assertEquals([seen[0]?.conversationId, seen[0]?.initiatorId, seen[0]?.headers, seen[0]?.sourceAddress], [
    failed?.conversationId,
    "c-1",
    { tenant: "acme" },
    "queue:orders",
  ]);
});

trial("a header that a handler sets wrongly fails the handler, not the process", async (trial) => {
  const bus = trial.bus();
  let error: unknown;
  bus.endpoint("orders").handle(Submit, async (message, ctx) => {
    error = await assertRejects(
      () => ctx.publish(Submitted, message, { headers: { "hero-id": "x" } }),
      InvalidHeaderError,
    );
    throw error;
  });
  await bus.start();
  await bus.send(Submit, order);
  await trial.settled();
  assertEquals(await trial.count("orders_error"), 1);
  assert(error instanceof InvalidHeaderError);
});

trial(
  "a message tells when it was sent, also where its id tells another time: the clock was set back, or it was given",
  async (t) => {
    const before = t.clock.now();
    let now = before;
    const bus = t.bus({ clock: { now: () => now, at: (time, run) => t.clock.at(time, run) } });
    const sentAt: (number | undefined)[] = [];
    bus.endpoint("orders").handle(Submit, (_, ctx) => void sentAt.push(ctx.sentAt?.getTime()));
    await bus.start();
    await bus.send(Submit, order);
    now -= 60_000;
    await bus.send(Submit, order);
    now = before;
    await bus.send(Submit, order);
    await bus.send(Submit, order, { messageId: "01a21604-ac0e-767a-be72-edf9c688b734" });
    await t.settled();
    assertEquals(sentAt, [before, before - 60_000, before, before]);
  },
);
