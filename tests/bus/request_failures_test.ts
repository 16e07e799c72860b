import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import type { Bus } from "../../src/bus/bus.ts";
import { createBus } from "../../src/bus/create_bus.ts";
import { fromHeaders } from "../../src/envelope/wire.ts";
import { HeroError } from "../../src/errors/hero_error.ts";
import { StoppedError } from "../../src/errors/lifecycle.ts";
import { UnreadableMessageError } from "../../src/errors/receiving.ts";
import { RequestFaultError, RequestTimeoutError, UnroutableError } from "../../src/errors/sending.ts";
import { DisconnectedError } from "../../src/errors/transport.ts";
import { retry } from "../../src/pipeline/retry.ts";
import { VirtualClock } from "../../src/testing/virtual_clock.ts";
import { turn } from "../../src/testing/turn.ts";
import { never, ScriptedTransport } from "../support/fakes/scripted_transport.ts";
import { Latch, type Trial, trial } from "../support/trial.ts";
import { byId, Get } from "./request_contracts.ts";

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
  assertStringIncludes(reason?.stack ?? "", "request_failures_test");
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

trial("a request that was given up while the queue for answers was opened is not sent when it is", async (t) => {
  const opening = Promise.withResolvers<void>();
  const transport = new ScriptedTransport({ receive: () => opening.promise });
  const bus = createBus({ name: "app", transport, clock: t.clock });
  await bus.start();
  const abort = new AbortController();
  const given = assertRejects(() => bus.request(Get, byId, { signal: abort.signal }), RangeError);
  const late = assertRejects(() => bus.request(Get, byId, { timeout: "1s" }), RequestTimeoutError);
  const asking = assertRejects(() => bus.request(Get, { id: "kept" }), StoppedError);
  await turn();
  abort.abort(new RangeError("enough"));
  await t.pass(1_000);
  await Promise.all([given, late]);
  opening.resolve();
  await t.settled();
  assertEquals(transport.sent.map(({ frame }) => new TextDecoder().decode(frame.body)), [`{"id":"kept"}`]);
  await bus.stop({ deadline: 0 });
  await asking;
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

/** A bus that asks, and another that answers once the latch is open. */
async function askerAndOwner(trial: Trial): Promise<{ readonly asker: Bus; readonly latch: Latch }> {
  const latch = new Latch();
  const owner = trial.bus({ name: "owner" });
  owner.endpoint("orders").handle(Get, async () => {
    await latch.pass();
    return { status: "late" };
  });
  const asker = trial.bus({ name: "asker" });
  await owner.start();
  await asker.start();
  return { asker, latch };
}

trial("stop rejects what waits", async (trial) => {
  const { asker, latch } = await askerAndOwner(trial);
  const asking = assertRejects(() => asker.request(Get, byId), StoppedError);
  await trial.until("it is being handled", () => latch.arrived === 1);
  await asker.stop();
  assertEquals((await asking).details["bus"], "asker");
  assertStringIncludes((await asking).message, `Cannot wait for an answer on the bus "asker": it has stopped`);
  await assertRejects(() => asker.request(Get, byId), StoppedError, `Cannot request on the bus "asker"`);
  latch.open();
});

trial("a connection that is lost rejects what waits, and crashes nothing", async (trial) => {
  const { asker, latch } = await askerAndOwner(trial);
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
