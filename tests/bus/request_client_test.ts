import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import { createBus } from "../../src/bus/create_bus.ts";
import { command } from "../../src/contracts/command.ts";
import { event } from "../../src/contracts/event.ts";
import { query } from "../../src/contracts/query.ts";
import { fromHeaders } from "../../src/envelope/wire.ts";
import { HeroError } from "../../src/errors/hero_error.ts";
import { StoppedError } from "../../src/errors/lifecycle.ts";
import { UnreadableMessageError } from "../../src/errors/receiving.ts";
import {
  InvalidMessageError,
  RequestCycleError,
  RequestFaultError,
  RequestTimeoutError,
  UnroutableError,
} from "../../src/errors/sending.ts";
import { DisconnectedError } from "../../src/errors/transport.ts";
import { retry } from "../../src/pipeline/retry.ts";
import { type Schema, type } from "../../src/values/schema.ts";
import { VirtualClock } from "../../src/testing/virtual_clock.ts";
import { turn } from "../../src/testing/turn.ts";
import { never, ScriptedTransport } from "../support/fakes/scripted_transport.ts";
import { Latch, trial } from "../support/trial.ts";

interface ById {
  readonly id: string;
}
const byId: ById = { id: "42" };
const Get = query<ById, { readonly status: string; readonly at?: Date }>("orders.get");
const Submit = command<ById>("orders.submit");
const Charge = command<ById, { readonly receipt: string }>("orders.charge");
const Found = event<{ readonly total: number }>("orders.found");
const Missing = event<ById>("orders.missing");
const Find = query("orders.find", { schema: type<ById>(), replies: { found: Found, missing: Missing } });

/** A schema of a type that says what is wrong. */
function schema<T>(check: (value: T) => string | undefined): Schema<T> {
  return {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: (value) => {
        const why = check(value as T);
        return why === undefined ? { value: value as T } : { issues: [{ message: why, path: ["total"] }] };
      },
    },
  };
}

// ---- Replies

trial("a query is answered with what its handler returns, its dates among it", async (trial) => {
  const bus = trial.bus();
  bus.endpoint("orders").handle(Get, ({ id }) => ({ status: `new ${id}`, at: new Date(0) }));
  await bus.start();
  assertEquals(await bus.request(Get, byId), { status: "new 42", at: new Date(0) });
});

trial("a command may be answered, too", async (trial) => {
  const bus = trial.bus();
  bus.endpoint("orders").handle(Charge, ({ id }) => Promise.resolve({ receipt: `r-${id}` }));
  await bus.start();
  assertEquals(await bus.request(Charge, byId), { receipt: "r-42" });
});

trial("the request of a command without a reply resolves when it has been handled, not before", async (trial) => {
  const latch = new Latch();
  const bus = trial.bus();
  bus.endpoint("orders").handle(Submit, () => latch.pass().then(() => "nobody asked for this"));
  await bus.start();
  let done = false;
  const asking = bus.request(Submit, byId).then((reply) => {
    done = true;
    return reply;
  });
  await trial.until("it is being handled", () => latch.arrived === 1);
  await trial.settled();
  assertEquals(done, false);
  latch.open();
  assertEquals(await asking, "nobody asked for this" as unknown as undefined);
});

trial("nothing and null are told apart", async (trial) => {
  const Maybe = query<ById, string | null>("maybe");
  const Nothing = command<ById>("nothing");
  const bus = trial.bus();
  bus.endpoint("orders").handle(Maybe, () => null).handle(Nothing, () => {});
  await bus.start();
  assertEquals(await bus.request(Maybe, byId), null);
  assertEquals(await bus.request(Nothing, byId), undefined);
});

trial("of several replies, the caller is told which it is", async (trial) => {
  const bus = trial.bus();
  bus.endpoint("orders").handle(
    Find,
    ({ id }) => id === "42" ? { kind: "found", message: { total: 1 } } : { kind: "missing", message: { id } },
  );
  await bus.start();
  assertEquals(await bus.request(Find, byId), { kind: "found", message: { total: 1 } });
  assertEquals(await bus.request(Find, { id: "7" }), { kind: "missing", message: { id: "7" } });
});

trial("a reply that is one of several and derives from another is told as itself", async (trial) => {
  const Any = event<{ readonly total: number }>("reply.any");
  const Special = event<{ readonly total: number }>("reply.special", { extends: Any });
  const Ask = query("ask", { schema: type<ById>(), replies: { any: Any, special: Special } });
  const bus = trial.bus();
  bus.endpoint("orders").handle(Ask, ({ id }) => ({ kind: id as "any" | "special", message: { total: 1 } }));
  await bus.start();
  assertEquals((await bus.request(Ask, { id: "special" })).kind, "special");
  assertEquals((await bus.request(Ask, { id: "any" })).kind, "any");
});

for (const reply of [undefined, null, {}, { kind: "fuond", message: {} }, { kind: "constructor", message: {} }, "x"]) {
  trial(`a reply that is none of the named, ${JSON.stringify(reply)}, fails its handler and is told`, async (trial) => {
    const bus = trial.bus();
    bus.endpoint("orders").handle(Find, () => reply as never);
    await bus.start();
    const error = await assertRejects(() => bus.request(Find, byId), RequestFaultError);
    assertEquals(error.exceptions[0]?.type, "InvalidMessageError");
    assertStringIncludes(error.message, "found, missing");
    await trial.settled();
    assertEquals(await trial.count("orders_error"), 1);
  });
}

trial("a reply's schema is asked on both ends", async (trial) => {
  const validated: string[] = [];
  const of = (who: string, wrong: number) =>
    query("orders.total", {
      schema: type<ById>(),
      reply: schema<{ total: number }>(({ total }) => {
        validated.push(who);
        return total === wrong ? "wrong total" : undefined;
      }),
    });
  const [Owner, Asker] = [of("owner", 1), of("asker", 2)];
  const owner = trial.bus({ name: "owner" });
  owner.endpoint("orders").handle(Owner, ({ id }) => ({ total: Number(id) }));
  const asker = trial.bus({ name: "asker" });
  await owner.start();
  await asker.start();
  assertEquals(await asker.request(Asker, { id: "3" }), { total: 3 });
  assertEquals(validated, ["owner", "asker"]);
  const atOwner = await assertRejects(() => asker.request(Asker, { id: "1" }), RequestFaultError);
  assertStringIncludes(atOwner.message, "total: wrong total");
  const atAsker = await assertRejects(() => asker.request(Asker, { id: "2" }), InvalidMessageError);
  assertEquals(atAsker.issues, ["total: wrong total"]);
});

trial("the request's own schema is asked before it is sent", async (trial) => {
  const Checked = query<ById, string>("checked", { schema: schema<ById>(({ id }) => id === "" ? "empty" : undefined) });
  const bus = trial.bus();
  let handled = 0;
  bus.endpoint("orders").handle(Checked, () => `${++handled}`);
  await bus.start();
  await assertRejects(() => bus.request(Checked, { id: "" }), InvalidMessageError, "empty");
  await trial.settled();
  assertEquals(handled, 0);
});

trial("the output of a reply's schema is what the caller gets", async (trial) => {
  const schemaOfDate: Schema<{ at: Date }> = {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: (value) => Promise.resolve({ value: { at: new Date((value as { at: Date }).at.getTime() + 1) } }),
    },
  };
  const Late = query("late", { schema: type<ById>(), reply: schemaOfDate });
  const bus = trial.bus();
  bus.endpoint("orders").handle(Late, () => ({ at: new Date(5) }));
  await bus.start();
  assertEquals(await bus.request(Late, byId), { at: new Date(6) });
});

trial("ctx.respond answers while the handler goes on; what it returns later is not another answer", async (trial) => {
  const latch = new Latch();
  const bus = trial.bus();
  let sent = 0;
  bus.observe({ sent: ({ kind }) => void (sent += kind === "respond" ? 1 : 0) });
  bus.endpoint("orders").handle(Get, async (_, ctx) => {
    await ctx.respond({ status: "early" });
    await latch.pass();
    await ctx.respond({ status: "again" });
    return { status: "late" };
  });
  await bus.start();
  assertEquals(await bus.request(Get, byId), { status: "early" });
  latch.open();
  await trial.settled();
  assertEquals([sent, bus.statistics("orders").consumed], [1, 1]);
});

trial("a handler that answers and then fails is not answered for twice", async (trial) => {
  const bus = trial.bus();
  let attempts = 0;
  bus.endpoint("orders", { retry: retry.immediate(1) }).handle(Get, async (_, ctx) => {
    await ctx.respond({ status: `attempt ${++attempts}` });
    throw new RangeError("after the answer");
  });
  await bus.start();
  assertEquals(await bus.request(Get, byId), { status: "attempt 1" });
  await trial.settled();
  assertEquals([attempts, await trial.count("orders_error")], [2, 1]);
});

trial("an outbox in memory holds the answer back until the handler has succeeded", async (trial) => {
  const bus = trial.bus();
  let attempts = 0;
  bus.endpoint("orders", { outbox: "memory", retry: retry.immediate(1) }).handle(Get, async (_, ctx) => {
    const responded = await ctx.respond({ status: `attempt ${++attempts}` });
    if (attempts === 1) throw new RangeError("after the answer");
    return responded;
  });
  await bus.start();
  assertEquals(await bus.request(Get, byId), { status: "attempt 2" });
});

trial("a message that is put off is answered when it is handled", async (trial) => {
  const bus = trial.bus();
  bus.endpoint("orders").handle(Get, async (_, ctx) => {
    if (ctx.attempt === 1 && trial.clock.now() === start) await ctx.defer("5s");
    return { status: `after ${trial.clock.now() - start} ms` };
  });
  await bus.start();
  const start = trial.clock.now();
  const asking = bus.request(Get, byId);
  await trial.pass(5000);
  assertEquals(await asking, { status: "after 5000 ms" });
});

trial("a service that only knows a command as its base answers it, too", async (trial) => {
  const Base = command<ById, string>("base");
  const Derived = command<ById, string>("derived", { extends: Base });
  const owner = trial.bus({ name: "owner" });
  owner.endpoint("orders").handle(Base, ({ id }) => `base of ${id}`);
  const asker = trial.bus({ name: "asker" });
  await owner.start();
  await asker.start();
  assertEquals(await asker.request(Derived, byId), "base of 42");
});

// ---- Failures

trial("what the handler threw reaches the caller: type, message, stack, causes", async (trial) => {
  class CardError extends Error {}
  const bus = trial.bus();
  bus.endpoint("orders").handle(Get, () => {
    throw new CardError("declined", { cause: new RangeError("limit") });
  });
  await bus.start();
  const error = await assertRejects(() => bus.request(Get, byId), RequestFaultError);
  assertEquals(error.code, "HERO_REQUEST_FAULT");
  const [reason] = error.exceptions;
  assertEquals([reason?.type, reason?.message, reason?.cause?.type], ["CardError", "declined", "RangeError"]);
  assertStringIncludes(reason?.stack ?? "", "request_client_test");
  for (const part of ["orders.get", "CardError", "declined"]) assertStringIncludes(error.message, part);
});

trial("the caller hears of a failure once retries are spent, not before", async (trial) => {
  const bus = trial.bus();
  let attempts = 0;
  bus.endpoint("orders", { retry: retry.interval(2, "1s"), publishFaults: false }).handle(Get, () => {
    throw new RangeError(`attempt ${++attempts}`);
  });
  await bus.start();
  const failed = assertRejects(() => bus.request(Get, byId), RequestFaultError, "attempt 3");
  await trial.pass(2000);
  await failed;
});

trial("a request that reaches no queue fails at once", async (trial) => {
  const bus = trial.bus();
  await bus.start();
  const error = await assertRejects(() => bus.request(Get, byId), UnroutableError);
  assertEquals(error.details, { contract: "orders.get", address: "topic:orders.get" });
});

trial("without an answer in time the request fails, to the millisecond", async (trial) => {
  const bus = trial.bus();
  const latch = new Latch();
  bus.endpoint("orders").handle(Get, async () => {
    await latch.pass();
    return { status: "late" };
  });
  await bus.start();
  let error: unknown;
  const asking = bus.request(Get, byId, { timeout: "5s" }).catch((thrown) => error = thrown);
  await trial.pass(4999);
  assertEquals(error, undefined);
  await trial.pass(1);
  await asking;
  assertInstanceOf(error, RequestTimeoutError);
  assertEquals([error.code, error.details], ["HERO_REQUEST_TIMEOUT", {
    contract: "orders.get",
    address: "topic:orders.get",
    timeoutInMs: 5000,
  }]);
  // The late answer harms nobody, and the next request gets its own.
  latch.open();
  await trial.settled();
  assertEquals(await bus.request(Get, byId), { status: "late" });
});

trial("30 s are waited unless said otherwise; the timeout is the request's time to live", async (trial) => {
  const bus = trial.bus();
  let expiresAt: number | undefined;
  bus.endpoint("orders").handle(Get, (_, ctx) => {
    expiresAt = ctx.expiresAt?.getTime();
    return { status: "new" };
  });
  await bus.start();
  await bus.request(Get, byId);
  assertEquals(expiresAt, trial.clock.now() + 30_000);
  await bus.request(Get, byId, { timeout: "5s", ttl: "1h" });
  assertEquals(expiresAt, trial.clock.now() + 5000);
});

trial("nobody works for a caller that has left: a request that waited too long is not handled", async (trial) => {
  const bus = trial.bus();
  let handled = 0;
  bus.endpoint("orders").handle(Get, () => ({ status: `${++handled}` }));
  await bus.start();
  await bus.pause("orders");
  const failed = assertRejects(() => bus.request(Get, byId, { timeout: "1s" }), RequestTimeoutError);
  await trial.pass(1000);
  await failed;
  await bus.resume("orders");
  await trial.settled();
  assertEquals(handled, 0);
  assertEquals((await bus.counts("orders")).waiting, 0);
});

trial("the opening of the queue for answers counts for the timeout, too", async () => {
  const clock = new VirtualClock();
  const transport = new ScriptedTransport({ receive: () => never() });
  const bus = createBus({ name: "app", transport, clock });
  await bus.start();
  const failed = assertRejects(() => bus.request(Get, byId, { timeout: "5s" }), RequestTimeoutError);
  const abort = new AbortController();
  const aborted = assertRejects(() => bus.request(Get, byId, { signal: abort.signal }), RangeError);
  await turn();
  abort.abort(new RangeError("enough"));
  await aborted;
  await clock.advanceTo(clock.now() + 5000, turn);
  await failed;
  assertEquals(transport.sent, []);
  await bus.stop({ deadline: 0 });
  assertEquals(clock.pending, 0);
});

trial("a queue for answers that cannot be opened fails the request, and the next tries again", async (trial) => {
  let refused = 0;
  const transport = new ScriptedTransport({
    receive: () => ++refused === 1 ? Promise.reject(new RangeError("no queue")) : Promise.resolve(),
  });
  const bus = createBus({ name: "app", transport, clock: trial.clock });
  await bus.start();
  await assertRejects(() => bus.request(Get, byId), RangeError, "no queue");
  const asking = assertRejects(() => bus.request(Get, byId), StoppedError);
  await trial.settled();
  assertEquals([refused, transport.sent.length], [2, 1]);
  await bus.stop({ deadline: 0 });
  await asking;
});

trial("stop rejects what waits", async (trial) => {
  const latch = new Latch();
  const owner = trial.bus({ name: "owner" });
  owner.endpoint("orders").handle(Get, async () => {
    await latch.pass();
    return { status: "late" };
  });
  const asker = trial.bus({ name: "asker" });
  await owner.start();
  await asker.start();
  const asking = assertRejects(() => asker.request(Get, byId), StoppedError);
  await trial.until("it is being handled", () => latch.arrived === 1);
  await asker.stop();
  assertEquals((await asking).details["bus"], "asker");
  await assertRejects(() => asker.request(Get, byId), StoppedError);
  latch.open();
});

trial("a connection that is lost rejects what waits, and crashes nothing", async (trial) => {
  const latch = new Latch();
  const owner = trial.bus({ name: "owner" });
  owner.endpoint("orders").handle(Get, async () => {
    await latch.pass();
    return { status: "late" };
  });
  const asker = trial.bus({ name: "asker" });
  await owner.start();
  await asker.start();
  const asking = assertRejects(() => asker.request(Get, byId), DisconnectedError);
  await trial.until("it is being handled", () => latch.arrived === 1);
  trial.broker.disconnect(trial.transportOf(asker));
  await asking;
  latch.open();
  await trial.settled();
  assertEquals(await asker.request(Get, byId), { status: "late" });
});

trial("answers that are none harm nobody; a broken answer fails its own request alone", async () => {
  const transport = new ScriptedTransport();
  const clock = new VirtualClock();
  const bus = createBus({ name: "app", transport, clock });
  await bus.start();
  const first = bus.request(Get, byId);
  await turn();
  const [source] = transport.sources;
  assert(source !== undefined);
  const answer = (requestId: string, type: string, body: string, contentType = "application/json") => {
    source.sink.deliver([{
      frame: {
        contentType,
        headers: { "hero-id": "1", "hero-type": type, "hero-meta": JSON.stringify({ request: requestId }) },
        body: new TextEncoder().encode(body),
      },
      key: undefined,
      via: undefined,
      deliveryCount: 1,
    }]);
  };
  const request = async (): Promise<{ readonly id: string; readonly reply: Promise<unknown> }> => {
    const reply = bus.request(Get, byId);
    await turn();
    const frame = transport.sent.at(-1)?.frame;
    assert(frame !== undefined);
    return { id: fromHeaders(frame, () => "").requestId ?? "", reply };
  };
  source.sink.deliver([{
    frame: { contentType: "", headers: { "hero-meta": "{" }, body: new Uint8Array() },
    key: undefined,
    via: undefined,
    deliveryCount: 1,
  }]);
  answer("unknown", "reply:orders.get", `{"status":"x"}`);
  const broken: readonly [string, string, string, string?][] = [
    ["reply:orders.other", `{"status":"x"}`, "orders.other"],
    ["", `{"status":"x"}`, "no reply"],
    ["reply:orders.get", `{"status`, "JSON"],
    ["reply:orders.get", "x", "text/plain", "text/plain"],
  ];
  for (const [type, body, why, contentType] of broken) {
    const { id, reply } = await request();
    answer(id, type, body, contentType);
    const error = await assertRejects(() => reply, HeroError);
    assertStringIncludes(error.message, why);
  }
  for (const body of ["{}", "null", `{"exceptions":[]}`, `{"exceptions":[null,5,{"type":1}]}`]) {
    const { id, reply } = await request();
    answer(id, "fault:orders.get", body);
    const error = await assertRejects(() => reply, RequestFaultError);
    assertEquals(error.exceptions.length, 1);
  }
  const { id, reply } = await request();
  answer(id, "reply:orders.get", `{"status":"good"}`);
  answer(id, "reply:orders.get", `{"status":"twice"}`);
  assertEquals(await reply, { status: "good" });
  assertEquals(source.settled.length, 12);
  assert(source.settled.every(({ outcome }) => outcome === "accept"));
  const stopped = assertRejects(() => first, StoppedError);
  await bus.stop({ deadline: 0 });
  await stopped;
  assertInstanceOf(new UnreadableMessageError("x"), HeroError);
});

// ---- Handlers that ask

trial("a handler may ask another endpoint, within its conversation", async (trial) => {
  const bus = trial.bus();
  const conversations: (string | undefined)[] = [];
  bus.endpoint("orders", { concurrency: 1 }).handle(Charge, async ({ id }, ctx) => {
    conversations.push(ctx.conversationId);
    const { status } = await ctx.request(Get, { id }, { timeout: "5s" });
    return { receipt: status };
  });
  bus.endpoint("queries").handle(Get, ({ id }, ctx) => {
    conversations.push(ctx.conversationId);
    return { status: `status of ${id}` };
  });
  await bus.start();
  assertEquals(await bus.request(Charge, byId), { receipt: "status of 42" });
  assertEquals(conversations[0], conversations[1]);
});

trial("a request that would wait for its own endpoint's last slot fails fast", async (trial) => {
  const bus = trial.bus();
  bus.endpoint("orders", { concurrency: 1 })
    .handle(Charge, async (_, ctx) => ({ receipt: (await ctx.request(Get, byId)).status }))
    .handle(Get, () => ({ status: "new" }));
  await bus.start();
  const error = await assertRejects(() => bus.request(Charge, byId), RequestFaultError);
  assertEquals(error.exceptions[0]?.type, "RequestCycleError");
  assertStringIncludes(error.message, `"orders"`);
});

trial("an endpoint may ask itself while slots are left, and not with the last", async (trial) => {
  const latch = new Latch();
  const bus = trial.bus();
  const results: unknown[] = [];
  bus.endpoint("orders", { concurrency: 3 })
    .handle(Submit, async (_, ctx) => {
      await latch.pass();
      await ctx.request(Get, byId).then(({ status }) => results.push(status), (error) => results.push(error));
    })
    .handle(Get, () => ({ status: "new" }));
  await bus.start();
  for (let i = 0; i < 3; i++) await bus.send(Submit, byId);
  await trial.until("all slots are taken", () => latch.arrived === 3);
  latch.open();
  await trial.until("all have ended", () => results.length === 3);
  assertInstanceOf(results[0], RequestCycleError);
  assertEquals(results.slice(1), ["new", "new"]);
  // What was counted is given back.
  await bus.send(Submit, byId);
  await trial.until("one more has ended", () => results.length === 4);
  assertEquals(results[3], "new");
});

trial("a handler that is stopped gives up what it asks", async (trial) => {
  const latch = new Latch();
  const owner = trial.bus({ name: "owner" });
  owner.endpoint("queries").handle(Get, async () => {
    await latch.pass();
    return { status: "late" };
  });
  const asker = trial.bus({ name: "asker" });
  let error: unknown;
  asker.endpoint("orders").handle(Submit, async (_, ctx) => {
    await ctx.request(Get, byId).catch((thrown) => {
      error = thrown;
      throw thrown;
    });
  });
  await owner.start();
  await asker.start();
  await asker.send(Submit, byId);
  await trial.until("it is being asked", () => latch.arrived === 1);
  await asker.stop({ deadline: 0 });
  assertEquals((error as HeroError).code, "HERO_STOP_DEADLINE");
  latch.open();
  await trial.settled();
  assertEquals([await trial.count("orders"), await trial.count("orders_error")], [1, 0]);
});

trial("64 at once get each its own answer", async (trial) => {
  const bus = trial.bus();
  bus.endpoint("orders", { concurrency: 7 }).handle(Get, async ({ id }) => {
    for (let i = 0; i < Number(id) % 5; i++) await Promise.resolve();
    return { status: id };
  });
  await bus.start();
  const ids = Array.from({ length: 64 }, (_, i) => String(i));
  const replies = await Promise.all(ids.map((id) => bus.request(Get, { id })));
  assertEquals(replies.map(({ status }) => status), ids);
});

// ---- Signals

trial("an already aborted signal sends nothing, and its reason comes back", async (trial) => {
  const bus = trial.bus();
  let handled = 0;
  bus.endpoint("orders").handle(Get, () => ({ status: `${++handled}` }));
  await bus.start();
  const reason = { why: "left" };
  const thrown = await bus.request(Get, byId, { signal: AbortSignal.abort(reason) }).catch((error) => error);
  assertEquals(thrown, reason);
  await trial.settled();
  assertEquals(handled, 0);
});

trial("a signal ends the wait with its reason, and the late answer harms nobody", async (trial) => {
  const latch = new Latch();
  const bus = trial.bus();
  bus.endpoint("orders").handle(Get, async () => {
    await latch.pass();
    return { status: "late" };
  });
  await bus.start();
  const abort = new AbortController();
  const asking = bus.request(Get, byId, { signal: abort.signal }).catch((error) => error);
  await trial.until("it is being handled", () => latch.arrived === 1);
  const reason = new RangeError("enough");
  abort.abort(reason);
  assert(await asking === reason);
  latch.open();
  await trial.settled();
  assertEquals(await bus.request(Get, byId), { status: "late" });
});

/** Counts listeners, as no web standard does. */
class CountedSignal extends AbortController {
  listeners = 0;
  most = 0;

  constructor() {
    super();
    const { signal } = this;
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
    const known = new Set<unknown>();
    const count = () => {
      this.listeners = known.size;
      this.most = Math.max(this.most, known.size);
    };
    Object.assign(signal, {
      addEventListener: (...args: Parameters<typeof add>) => {
        known.add(args[1]);
        count();
        add(...args);
      },
      removeEventListener: (...args: Parameters<typeof remove>) => {
        known.delete(args[1]);
        count();
        remove(...args);
      },
    });
  }
}

trial("one signal for 1,000 requests has no listener after each, and aborting it then does nothing", async (trial) => {
  const bus = trial.bus();
  bus.endpoint("orders")
    .handle(Get, ({ id }) => ({ status: id }))
    .handle(Charge, async ({ id }, ctx) => {
      const reply = await ctx.request(Find, { id }, { signal: counted.signal });
      return { receipt: reply.kind };
    });
  bus.endpoint("finding").handle(Find, ({ id }) => ({ kind: "missing", message: { id } }));
  await bus.start();
  const counted = new CountedSignal();
  for (let i = 0; i < 1000; i++) {
    const id = String(i);
    if (i % 10 > 0) assertEquals(await bus.request(Get, { id }, { signal: counted.signal }), { status: id });
    else assertEquals(await bus.request(Charge, { id }, { signal: counted.signal }), { receipt: "missing" });
    assertEquals(counted.listeners, 0);
  }
  assert(counted.most > 0, "the signal was never listened to");
  const failed = await bus.request(Submit, byId, { signal: counted.signal }).catch((error) => error);
  assertInstanceOf(failed, UnroutableError);
  assertEquals(counted.listeners, 0);
  counted.abort(new RangeError("after all"));
  await trial.settled();
});

trial("requests that time out leave no listener and no timer", async (trial) => {
  const bus = trial.bus();
  bus.endpoint("orders").handle(Get, () => ({ status: "new" }));
  await bus.start();
  await bus.request(Get, byId);
  const timers = trial.clock.pending;
  await bus.pause("orders");
  const counted = new CountedSignal();
  const asking = Array.from({ length: 100 }, (_, i) =>
    assertRejects(
      () => bus.request(Get, byId, { timeout: 1000 + i, signal: counted.signal }),
      RequestTimeoutError,
    ));
  await trial.settled();
  assertEquals(counted.listeners, 1);
  await trial.pass(1099);
  await Promise.all(asking);
  assertEquals([counted.listeners, trial.clock.pending], [0, timers]);
});
