import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { command } from "../../src/contracts/command.ts";
import { event } from "../../src/contracts/event.ts";
import { query } from "../../src/contracts/query.ts";
import { RequestFaultError } from "../../src/errors/sending.ts";
import { retry } from "../../src/pipeline/retry.ts";
import { RecordingTelemetry } from "../support/recording_telemetry.ts";
import { all, trial } from "../support/trial.ts";

interface Order {
  readonly id: string;
}
const Submit = command<Order>("orders.submit");
const Submitted = event<Order>("orders.submitted");
const Get = query<Order, string>("orders.get");

trial("telemetry sees a message sent, received, processed and settled, each once", async (t) => {
  const telemetry = new RecordingTelemetry();
  const bus = t.bus({ telemetry });
  bus.endpoint("orders").handle(Submit, () => {});
  await bus.start();
  const sentAt = t.clock.now();
  await bus.send(Submit, { id: "1" }, { messageId: "m-1" });
  await t.settled();
  const [[send], [processed]] = [telemetry.sends, telemetry.processes];
  assertEquals(send?.activity, {
    bus: "app",
    kind: "send",
    contract: "orders.submit",
    messageId: "m-1",
    conversationId: "m-1",
    to: "topic:orders.submit",
    parent: undefined,
  });
  assertEquals(processed?.activity, {
    bus: "app",
    endpoint: "orders",
    type: "orders.submit",
    messageId: "m-1",
    conversationId: "m-1",
    parent: send?.trace,
    sentAt,
  });
  assertEquals([telemetry.sends.length, telemetry.processes.length], [1, 1]);
  assertEquals([send?.ended, processed?.ended, processed?.runs], [[undefined], [undefined], 1]);
  assertEquals([telemetry.received, telemetry.settled], [["orders 1"], ["orders accept 1"]]);
});

trial("a span's trace is on the wire, and the parent of all that follows from the message", async (t) => {
  const telemetry = new RecordingTelemetry();
  const bus = t.bus({ telemetry });
  bus.endpoint("orders").handle(Submit, async (order, ctx) => {
    await ctx.publish(Submitted, order);
    assertEquals(await ctx.request(Get, order), "done");
  }).handle(Get, () => "done");
  await bus.start();
  // Nobody takes from it: what is sent there can be looked at.
  const silent = t.bus({ name: "silent" });
  silent.endpoint("kept").handle(Submitted, () => {});
  await silent.start();
  await silent.pause("kept");
  await bus.send(Submit, { id: "1" });
  await t.settled();
  const [send, publish, request, reply] = telemetry.sends;
  const [submit, get] = telemetry.processes;
  assertEquals(telemetry.sends.map(({ activity }) => activity.kind), ["send", "publish", "request", "respond"]);
  assertEquals(telemetry.processes.map(({ activity }) => activity.type), ["orders.submit", "orders.get"]);
  assertEquals(
    [send, submit, publish, request, get, reply].map((span) => span?.activity.parent),
    [undefined, send?.trace, submit?.trace, submit?.trace, request?.trace, get?.trace],
  );
  const [kept] = await t.peek("kept");
  const { traceparent, tracestate, baggage } = kept?.frame.headers ?? {};
  assertEquals({ traceparent, tracestate, baggage }, { ...publish?.trace });
});

trial("a trace that came from elsewhere is the parent, and goes on where telemetry looks away", async (t) => {
  const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const telemetry = new RecordingTelemetry();
  const seeing = t.bus({ telemetry });
  seeing.endpoint("seen").handle(Submitted, () => {});
  await seeing.start();
  const blind = t.bus({ name: "blind" });
  blind.endpoint("orders").handle(Submit, (order, ctx) => ctx.publish(Submitted, order));
  await blind.start();
  await t.put("queue:orders", {
    body: `{"id":"1"}`,
    headers: { "hero-id": "1", "hero-type": "orders.submit", traceparent: parent, tracestate: "v=1", baggage: "a=b" },
  });
  await t.settled();
  assertEquals(telemetry.processes.map(({ activity }) => activity.parent), [
    { traceparent: parent, tracestate: "v=1", baggage: "a=b" },
  ]);
});

trial("one span is around all retries of a delivery, each run in it, and ends with the last error", async (t) => {
  const telemetry = new RecordingTelemetry();
  const bus = t.bus({ telemetry });
  let runs = 0;
  const inSpan: boolean[] = [];
  bus.endpoint("orders", { retry: retry.immediate(2), redeliver: [10] }).handle(Submit, ({ id }) => {
    inSpan.push(telemetry.active.at(-1) === telemetry.processes.at(-1));
    throw new RangeError(`${id} ${++runs}`);
  });
  await bus.start();
  await bus.send(Submit, { id: "bad" });
  await t.pass(100);
  const [send, fault] = telemetry.sends;
  const [first, second] = telemetry.processes;
  assertEquals(telemetry.processes.map(({ runs }) => runs), [3, 3]);
  assertEquals(inSpan, Array(6).fill(true));
  assertEquals([first?.ended.map((error) => error?.message), second?.ended.map((error) => error?.message)], [
    ["bad 3"],
    ["bad 6"],
  ]);
  // The delivery that comes again has the message's own parent: the attempts stand side by side.
  assertEquals([first?.activity.parent, second?.activity.parent], [send?.trace, send?.trace]);
  assertEquals([fault?.activity.kind, fault?.activity.contract, fault?.activity.parent], [
    "fault",
    "fault:orders.submit",
    second?.trace,
  ]);
  assertEquals(telemetry.received, ["orders 1", "orders 1"]);
  assertEquals(telemetry.settled, ["orders again 1", "orders move 1"]);
});

trial("what a retry mends ends its span without an error", async (t) => {
  const telemetry = new RecordingTelemetry();
  const bus = t.bus({ telemetry });
  let runs = 0;
  bus.endpoint("orders", { retry: retry.interval(1, 50) }).handle(Submit, () => {
    if (++runs === 1) throw new RangeError("once");
  });
  await bus.start();
  await bus.send(Submit, { id: "1" });
  await t.settled();
  assertEquals(telemetry.processes.map(({ ended }) => ended), [[]], "it is over only after the retry");
  await t.pass(50);
  assertEquals(telemetry.processes.map(({ runs, ended }) => [runs, ended]), [[2, [undefined]]]);
  assertEquals(telemetry.settled, ["orders accept 1"]);
});

trial("deliveries come and are settled in batches, counted by outcome", async (t) => {
  const telemetry = new RecordingTelemetry();
  const bus = t.bus({ telemetry });
  bus.endpoint("orders", { concurrency: 10 }).handle(Submit, ({ id }, ctx) => {
    if (id === "bad") throw new RangeError("no");
    if (id === "later") return ctx.defer("1m");
    if (id === "elsewhere") return ctx.forward("queue:other");
  });
  bus.endpoint("other", { subscribe: false }).handle(Submit, () => {});
  await bus.start();
  await bus.pause("orders");
  await bus.pause("other");
  for (const id of ["1", "2", "3", "bad", "later", "elsewhere"]) await bus.send(Submit, { id });
  await bus.resume("orders");
  await t.settled();
  const countOf = (line: string): number => Number(line.split(" ").at(-1));
  const counted = (lines: readonly string[], outcome: string): number =>
    lines.filter((line) => line.startsWith(`orders ${outcome}`)).reduce((sum, line) => sum + countOf(line), 0);
  assertEquals(counted(telemetry.received, ""), 6);
  assert(telemetry.received.length < 6, "Nothing came in a batch");
  assert(telemetry.settled.some((line) => countOf(line) > 1), "Nothing was settled in a batch");
  const outcomes = ["accept", "move", "again", "release"];
  assertEquals(outcomes.map((outcome) => counted(telemetry.settled, outcome)), [3, 2, 1, 0]);
});

trial("each message of a batch handler has its span, and what the batch sends follows from the first", async (t) => {
  const telemetry = new RecordingTelemetry();
  const bus = t.bus({ telemetry });
  const sizes: number[] = [];
  bus.endpoint("orders").batch(Submit, { size: 3 }, async (batch, ctx) => {
    sizes.push(batch.length);
    await ctx.publish(Submitted, { id: "all" });
    const [, second] = batch;
    if (second !== undefined) ctx.fail(second, new RangeError("second"));
  });
  await bus.start();
  for (const id of ["1", "2", "3"]) await bus.send(Submit, { id });
  await t.settled();
  assertEquals(sizes, [3]);
  assertEquals(telemetry.processes.map(({ ended }) => ended.map((error) => error?.message)), [
    [undefined],
    ["second"],
    [undefined],
  ]);
  const published = telemetry.sends.find(({ activity }) => activity.kind === "publish");
  assertEquals(published?.activity.parent, telemetry.processes[0]?.trace);
});

trial("what cannot be read ends its span with why; what nobody handles, without an error", async (t) => {
  const telemetry = new RecordingTelemetry();
  const bus = t.bus({ telemetry });
  bus.endpoint("orders").handle(Submit, () => {});
  await bus.start();
  await t.put("queue:orders", { body: "{", headers: { "hero-id": "1", "hero-type": "orders.submit" } });
  await t.put("queue:orders", { body: "{}", headers: { "hero-id": "2", "hero-type": "somebody.elses" } });
  await t.settled();
  const [failed] = await all(bus.errors("orders").list());
  assertEquals(telemetry.processes.map(({ runs, ended }) => [runs, ended.map((error) => error?.name)]), [
    [0, [failed?.exceptions[0]?.type]],
    [0, [undefined]],
  ]);
  assertEquals(telemetry.settled, ["orders move 1", "orders move 1"]);
});

trial("each span of a request that fails ends once", async (t) => {
  const telemetry = new RecordingTelemetry();
  const bus = t.bus({ telemetry });
  bus.endpoint("orders").handle(Get, () => {
    throw new RangeError("no");
  });
  await bus.start();
  await assertRejects(() => bus.request(Get, { id: "1" }), RequestFaultError);
  await t.settled();
  for (const { activity, ended } of [...telemetry.sends, ...telemetry.processes]) {
    assertEquals(ended.length, 1, `the span of ${JSON.stringify(activity)} ended not once`);
  }
});

trial("without telemetry no step stands for it, and no trace is on the wire", async (t) => {
  const [bare, seen] = [t.bus({ name: "bare" }), t.bus({ name: "seen", telemetry: new RecordingTelemetry() })];
  for (const bus of [bare, seen]) bus.endpoint(bus.name).handle(Submitted, () => {});
  const [[of], [ofSeen]] = [bare.describe().endpoints, seen.describe().endpoints];
  assertEquals(ofSeen?.stages.filter((stage) => !of?.stages.includes(stage)), ["telemetry"]);
  await bare.start();
  await bare.pause("bare");
  await bare.publish(Submitted, { id: "1" });
  await t.settled();
  const [kept] = await t.peek("bare");
  assertStrictEquals(kept?.frame.headers["traceparent"], undefined);
});
