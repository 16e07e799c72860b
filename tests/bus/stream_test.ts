import { assert, assertEquals, assertRejects } from "@std/assert";
import { createBus } from "../../src/bus/create_bus.ts";
import { command } from "../../src/contracts/command.ts";
import { event } from "../../src/contracts/event.ts";
import { DuplicateOwnerError } from "../../src/errors/configuration.ts";
import { StoppedError } from "../../src/errors/lifecycle.ts";
import { CountedSignal } from "../support/counted_signal.ts";
import { ScriptedTransport } from "../support/fakes/scripted_transport.ts";
import { type Trial, trial } from "../support/trial.ts";

interface Tick {
  readonly n: number;
}
const Ticked = event<Tick>("ticked");
const Tock = event<Tick>("tocked", { extends: Ticked });
const Handle = command<Tick>("handle");

/** A started bus with an open stream, and how many of its messages are not accepted. */
async function streaming(trial: Trial, options: { readonly signal?: AbortSignal } = {}) {
  const bus = trial.bus();
  await bus.start();
  const stream = bus.stream(Ticked, options);
  await trial.settled();
  return { bus, stream, counts: () => bus.counts("app-stream-1") };
}
async function publish(bus: ReturnType<Trial["bus"]>, from: number, to: number): Promise<void> {
  for (let n = from; n <= to; n++) await bus.publish(Ticked, { n });
}

trial("a stream gives the messages of its contract in order, and of what derives from it", async (trial) => {
  const { bus, stream } = await streaming(trial);
  const reader = stream.getReader();
  await bus.publish(Ticked, { n: 1 });
  await bus.publish(Tock, { n: 2 });
  await bus.publish(Ticked, { n: 3 });
  const read = [await reader.read(), await reader.read(), await reader.read()];
  assertEquals(read.map(({ value }) => value?.n), [1, 2, 3]);
  await reader.cancel();
});

trial("a stream is read by for await, and breaking off closes it", async (trial) => {
  const { bus, stream } = await streaming(trial);
  await publish(bus, 1, 5);
  const seen: number[] = [];
  for await (const { n } of stream) {
    seen.push(n);
    if (n === 3) break;
  }
  await trial.settled();
  assertEquals(seen, [1, 2, 3]);
  assertEquals(bus.describe().endpoints, []);
});

trial("nothing beyond the credit is taken, and a message is accepted when it is pulled", async (trial) => {
  const { bus, stream, counts } = await streaming(trial);
  await publish(bus, 1, 40);
  await trial.settled();
  assertEquals(await counts(), { waiting: 24, active: 16, delayed: 0, failed: 0, skipped: 0 });
  const reader = stream.getReader();
  for (let n = 1; n <= 3; n++) assertEquals((await reader.read()).value, { n });
  await trial.settled();
  assertEquals(await counts(), { waiting: 21, active: 16, delayed: 0, failed: 0, skipped: 0 });
  for (let n = 4; n <= 40; n++) assertEquals((await reader.read()).value, { n });
  await trial.settled();
  assertEquals(await counts(), { waiting: 0, active: 0, delayed: 0, failed: 0, skipped: 0 });
  await reader.cancel();
});

trial("one signal for 1,000 streams and 1,000 reads has no listener after each, and its abort ends none", async (t) => {
  const counted = new CountedSignal();
  const { bus, stream: long } = await streaming(t, { signal: counted.signal });
  const reading = long.getReader();
  const whileOpen = counted.listeners;
  assert(whileOpen > 0, "An open stream does not listen to its signal");
  for (let n = 0; n < 1000; n++) {
    await bus.publish(Ticked, { n }, { signal: counted.signal });
    assertEquals((await reading.read()).value, { n });
    assertEquals(counted.listeners, whileOpen);
  }
  await reading.cancel();
  assertEquals(counted.listeners, 0);
  for (let n = 0; n < 1000; n++) {
    const stream = bus.stream(Ticked, { signal: counted.signal });
    await stream.opened;
    const reader = stream.getReader();
    if (n % 100 === 0) {
      await bus.publish(Ticked, { n });
      assertEquals((await reader.read()).value, { n });
    }
    await reader.cancel();
    assertEquals(counted.listeners, 0);
  }
  counted.abort(new RangeError("after all"));
  await t.settled();
  assertEquals(bus.describe().endpoints, []);
});

trial("two streams of one contract get every message each", async (trial) => {
  const { bus, stream } = await streaming(trial);
  const second = bus.stream(Ticked);
  await trial.settled();
  await publish(bus, 1, 1);
  const readers = [stream.getReader(), second.getReader()];
  assertEquals(await Promise.all(readers.map(async (reader) => (await reader.read()).value?.n)), [1, 1]);
  for (const reader of readers) await reader.cancel();
});

trial("cancelling gives unpulled messages back, and is no failure of theirs", async (trial) => {
  const { bus, stream } = await streaming(trial);
  await publish(bus, 1, 5);
  const reader = stream.getReader();
  await reader.read();
  const failures: string[] = [];
  bus.observe({ faulted: ({ name }) => void failures.push(name) });
  const settled: string[] = [];
  const ineffective = trial.broker.counts.ineffective;
  bus.observe({ unhandled: (_, why) => void settled.push(why) });
  await reader.cancel();
  await trial.settled();
  assertEquals(settled, ["released", "released", "released", "released"]);
  assertEquals([failures, trial.broker.counts.ineffective - ineffective], [[], 0]);
});

trial("a claim that is lost takes the unpulled messages out of the stream: they come again", async (trial) => {
  const { bus, stream } = await streaming(trial);
  await publish(bus, 1, 3);
  await trial.settled();
  trial.broker.disconnect(trial.transportOf(bus));
  await trial.settled();
  const reader = stream.getReader();
  const seen: number[] = [];
  for (let i = 0; i < 3; i++) seen.push((await reader.read()).value?.n ?? 0);
  await trial.settled();
  assertEquals(seen, [1, 2, 3]);
  const more = reader.read();
  await publish(bus, 4, 4);
  assertEquals((await more).value, { n: 4 });
  await reader.cancel();
});

trial("a signal ends a stream with its reason", async (trial) => {
  const abort = new AbortController();
  const { bus, stream } = await streaming(trial, { signal: abort.signal });
  const reader = stream.getReader();
  await publish(bus, 1, 1);
  assertEquals((await reader.read()).value, { n: 1 });
  const reading = reader.read().catch((error) => error);
  const reason = new RangeError("enough");
  abort.abort(reason);
  assert(await reading === reason);
  await trial.settled();
  assertEquals(bus.describe().endpoints, []);
});

trial("an already aborted signal opens nothing", async (trial) => {
  const bus = trial.bus();
  await bus.start();
  const reason = { why: "left" };
  const stream = bus.stream(Ticked, { signal: AbortSignal.abort(reason) });
  const thrown = await stream.getReader().read().catch((error) => error);
  await trial.settled();
  assertEquals(thrown, reason);
  assertEquals(bus.describe().endpoints, []);
});

// ---- And the bus' life

trial("a stream that is made before the start waits for it", async (trial) => {
  const bus = trial.bus();
  const reader = bus.stream(Ticked).getReader();
  const reading = reader.read();
  await trial.settled();
  await bus.start();
  await trial.settled();
  await bus.publish(Ticked, { n: 1 });
  assertEquals((await reading).value, { n: 1 });
  await reader.cancel();
});

trial(
  "what waits for a stream to be open waits for the start, and learns of one that fails or never comes",
  async (t) => {
    const bus = t.bus();
    let open = false;
    const opened = bus.stream(Ticked).opened.then(() => void (open = true));
    await t.settled();
    assertEquals(open, false);
    await bus.start();
    await opened;
    await bus.publish(Ticked, { n: 1 });
    assertEquals(t.broker.counts.unrouted, 0);

    const failing = new ScriptedTransport({ open: () => Promise.reject(new RangeError("no broker")) });
    const failed = createBus({ name: "app", transport: failing });
    const never = assertRejects(() => failed.stream(Ticked).opened, RangeError, "no broker");
    await assertRejects(() => failed.start(), RangeError);
    await never;

    const unstarted = createBus({ name: "app" });
    const waiting = assertRejects(() => unstarted.stream(Ticked).opened, StoppedError);
    await unstarted.stop();
    await waiting;
  },
);

trial("a stream that is cancelled, or aborted, before the start opens nothing once the bus runs", async (trial) => {
  const bus = trial.bus();
  const abort = new AbortController();
  const cancelled = bus.stream(Ticked);
  const aborted = bus.stream(Ticked, { signal: abort.signal });
  await trial.settled();
  await cancelled.cancel();
  abort.abort(new RangeError("enough"));
  await assertRejects(() => aborted.getReader().read(), RangeError);
  await bus.start();
  await trial.settled();
  await bus.publish(Ticked, { n: 1 });
  await trial.settled();
  assertEquals(bus.describe().endpoints, []);
  assertEquals(trial.broker.counts.unrouted, 1);
});

trial("a stream that is cancelled while it is being opened is closed once it is open", async (trial) => {
  const gate = Promise.withResolvers<void>();
  const transport = new ScriptedTransport({ receive: () => gate.promise });
  const bus = createBus({ name: "app", transport, clock: trial.clock });
  await bus.start();
  const stream = bus.stream(Ticked);
  await trial.until("it is being opened", () => transport.asked.some((each) => each.startsWith("receive")));
  await stream.cancel();
  gate.resolve();
  await trial.until("it is closed", () => transport.asked.some((each) => each.startsWith("stop")));
  assertEquals([transport.openSources, bus.describe().endpoints], [0, []]);
  await bus.stop();
});

trial("a start that fails fails the streams that wait for it", async () => {
  const bus = createBus({
    name: "app",
    transport: new ScriptedTransport({ open: () => Promise.reject(new RangeError("no broker")) }),
  });
  const reading = assertRejects(() => bus.stream(Ticked).getReader().read(), RangeError, "no broker");
  await assertRejects(() => bus.start(), RangeError);
  await reading;
});

trial("a stop ends streams, also those that nobody reads, and does not wait for them", async (trial) => {
  const { bus, stream } = await streaming(trial);
  const idle = bus.stream(Ticked);
  const waiting = bus.stream(Tock).getReader();
  await trial.settled();
  await publish(bus, 1, 20);
  const reader = stream.getReader();
  assertEquals((await reader.read()).value, { n: 1 });
  const last = waiting.read();
  await bus.stop(); // no time passes: the clock stands
  assertEquals((await last).done, true);
  assertEquals((await reader.read()).done, true);
  assertEquals((await idle.getReader().read()).done, true);
});

trial("after the stop there is nothing to stream from", async (trial) => {
  const bus = trial.bus();
  await bus.start();
  await bus.stop();
  await assertRejects(() => bus.stream(Ticked).getReader().read(), StoppedError);
});

trial("a stream of a command that an endpoint of the bus owns is refused", async (trial) => {
  const bus = trial.bus();
  bus.endpoint("owner").handle(Handle, () => {});
  await bus.start();
  await assertRejects(() => bus.stream(Handle).getReader().read(), DuplicateOwnerError);
  await bus.send(Handle, { n: 1 });
});

trial("a message that cannot be read does not end the stream", async (trial) => {
  const { bus, stream } = await streaming(trial);
  await trial.put("topic:ticked", { body: "[]", headers: { "hero-type": "ticked" } });
  await publish(bus, 1, 1);
  const reader = stream.getReader();
  assertEquals((await reader.read()).value, { n: 1 });
  assertEquals(bus.statistics("app-stream-1").faulted, 1);
  await reader.cancel();
});

trial("start() opens the streams that were asked for before it, and a later one says when it is open", async (t) => {
  const bus = t.bus();
  const early = bus.stream(Ticked).getReader();
  await bus.start();
  await bus.publish(Ticked, { n: 1 });
  assertEquals((await early.read()).value, { n: 1 });
  const late = bus.stream(Ticked);
  await late.opened;
  await bus.publish(Ticked, { n: 2 });
  const reader = late.getReader();
  assertEquals((await reader.read()).value, { n: 2 });
  await early.cancel();
  await reader.cancel();
  const controller = new AbortController();
  controller.abort(new Error("enough"));
  await assertRejects(() => bus.stream(Ticked, { signal: controller.signal }).opened, Error, "enough");
});
