import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { consumer } from "../../src/pipeline/consumer.ts";
import { createBus } from "../../src/bus/create_bus.ts";
import { ConfigurationError, InvalidNameError } from "../../src/errors/configuration.ts";
import { AlreadyStartedError, NotStartedError, StartTimeoutError, StoppedError } from "../../src/errors/lifecycle.ts";
import { AccessRefusedError } from "../../src/errors/transport.ts";
import { turn } from "../../src/testing/turn.ts";
import { VirtualClock } from "../../src/testing/virtual_clock.ts";
import { ScriptedStore } from "../support/fakes/scripted_store.ts";
import { never, type Script, ScriptedTransport } from "../support/fakes/scripted_transport.ts";
import { test } from "../support/runner.ts";
import { calls, Get, Happened, order, scripted, Submit } from "./scripted_bus.ts";

test("a bus must have a name that can stand in an address", () => {
  for (const name of ["", "a b", "a,b", undefined, "é"]) {
    assertThrows(() => createBus({ name: name as string }), InvalidNameError, "a bus");
  }
});
test("a send buffer of no messages is refused", () => {
  for (const sendBuffer of [0, -1, 1.5, NaN, Infinity]) {
    assertThrows(() => createBus({ name: "app", sendBuffer }), ConfigurationError, "buffer");
  }
});

test("before start and after stop, each call says what to do", async () => {
  const { bus } = scripted({});
  for (const [doing, call] of calls(bus)) {
    const error = await assertRejects(call, NotStartedError);
    assertEquals([error.code, error.details["doing"], error.details["bus"]], ["HERO_NOT_STARTED", doing, "app"]);
    assertStringIncludes(error.message, "bus.start()");
  }
  await bus.start();
  await bus.stop();
  for (const [doing, call] of calls(bus)) {
    const error = await assertRejects(call, StoppedError);
    assertEquals([error.code, error.details["doing"]], ["HERO_STOPPED", doing]);
  }
});

test("once it has started, a bus takes no more configuration; once it has stopped, neither", async () => {
  const { bus } = scripted({});
  const endpoint = bus.endpoint("four");
  const configuring = [
    () => bus.endpoint("five"),
    () => bus.add(consumer(Happened, () => {})),
    () => bus.use((_, next) => next()),
    () => bus.useSend((_, next) => next()),
    () => endpoint.handle(Submit, () => {}),
    () => endpoint.use((_, next) => next()),
    () => endpoint.batch(Happened, {}, () => {}),
  ];
  await bus.start();
  for (const configure of configuring) assertThrows(configure, AlreadyStartedError);
  await bus.stop();
  for (const configure of configuring.slice(0, 4)) assertThrows(configure, StoppedError);
});

test("a bus starts once: a second start is refused, while the first runs and later, and harms it not", async () => {
  const { bus, transport } = scripted({});
  const first = bus.start();
  await assertRejects(() => bus.start(), AlreadyStartedError);
  await first;
  await assertRejects(() => bus.start(), AlreadyStartedError);
  assertEquals(transport.asked.filter((each) => each === "open").length, 1);
  await bus.publish(Happened, order);
  await bus.stop();
  await assertRejects(() => bus.start(), StoppedError);
});

test("a bus that never started stops at once, and cannot be started then", async () => {
  const { bus, transport } = scripted({});
  await bus.stop();
  assertEquals(transport.asked, []);
  await assertRejects(() => bus.start(), StoppedError);
  await bus[Symbol.asyncDispose]();
});

test("a start opens the transport, then makes the topology, then the endpoints, in order", async () => {
  const { bus, transport } = scripted({});
  await bus.start();
  assertEquals(transport.asked, ["open", "deploy apply", "receive one", "receive two", "receive three"]);
  await bus.stop();
  assertEquals(transport.asked.slice(5), ["stop one", "stop two", "stop three", "close"]);
});

const failure = new RangeError("no such thing");
const failing: readonly [string, Script, readonly string[]][] = [
  ["open", { open: () => Promise.reject(failure) }, ["open", "close"]],
  ["deploy", { deploy: () => Promise.reject(failure) }, ["open", "deploy apply", "close"]],
  [
    "receive",
    { receive: ({ queue }) => queue === "three" ? Promise.reject(failure) : Promise.resolve() },
    ["open", "deploy apply", "receive one", "receive two", "receive three", "stop one", "stop two", "close"],
  ],
];
for (const [where, script, asked] of failing) {
  test(`a start that fails in ${where} rejects with what went wrong, and leaves nothing behind`, async () => {
    const { bus, transport, clock } = scripted(script);
    const error = await bus.start().catch((thrown) => thrown);
    assert(error === failure, `${error} is not the transport's error`);
    assertEquals(transport.asked, asked);
    assertEquals([transport.openSources, clock.pending], [0, 0]);
    assert(transport.host?.signal.aborted, "the transport is not told to end its waits");
    assertEquals(bus.health().status, "unhealthy");
    for (const [, call] of calls(bus)) await assertRejects(call, StoppedError);
    await assertRejects(() => bus.start(), StoppedError);
    await bus.stop();
  });

  test(`what goes wrong in closing does not hide why the start failed in ${where}`, async () => {
    const { bus } = scripted({
      ...script,
      close: () => Promise.reject(new TypeError("close, too")),
      stop: () => Promise.reject(new TypeError("stop, too")),
    });
    const error = await bus.start().catch((thrown) => thrown);
    assert(error === failure, `${error} is not the transport's error`);
  });
}

test("a start that fails on its configuration touches no transport", async () => {
  const { bus, transport } = scripted({});
  bus.endpoint("bad", { concurrency: 0 }).handle(Submit, () => {});
  const error = await assertRejects(() => bus.start(), ConfigurationError);
  for (const part of [`"bad"`, "concurrency"]) assertStringIncludes(error.message, part);
  assertEquals(transport.asked, []);
});

test("a signal that is aborted before the start begins leaves the bus as it was", async () => {
  const { bus, transport } = scripted({});
  const error = await bus.start({ signal: AbortSignal.abort(failure) }).catch((thrown) => thrown);
  assert(error === failure);
  assertEquals(transport.asked, []);
  await bus.start();
  await bus.stop();
});

const hanging: readonly [string, Script][] = [
  ["open, which heeds it", { open: ({ signal }) => never(signal) }],
  ["open, which does not heed it", { open: () => never() }],
  ["deploy", { deploy: () => never() }],
  ["receive", { receive: ({ queue }) => queue === "two" ? never() : Promise.resolve() }],
];
for (const [where, script] of hanging) {
  test(`a signal ends a start that waits in ${where}, and undoes it`, async () => {
    const { bus, transport, clock } = scripted(script);
    const abort = new AbortController();
    const starting = bus.start({ signal: abort.signal }).catch((thrown) => thrown);
    await turn();
    abort.abort(failure);
    assert(await starting === failure);
    assertEquals([transport.asked.at(-1), transport.openSources, clock.pending], ["close", 0, 0]);
  });

  test(`a stop ends a start that waits in ${where}, and both end`, async () => {
    const { bus, transport, clock } = scripted(script);
    const starting = assertRejects(() => bus.start(), StoppedError);
    await turn();
    await bus.stop();
    await starting;
    assertEquals([transport.openSources, clock.pending], [0, 0]);
    assertEquals(transport.asked.filter((each) => each === "close").length, 1);
    await assertRejects(() => bus.publish(Happened, order), StoppedError);
  });
}

/** What the signal of `AbortSignal.timeout` aborts with. */
const timeout = () => new DOMException("The operation timed out.", "TimeoutError");

test("a start whose signal runs out of time says what it waited for, and that one's last reason", async () => {
  const refused = new AccessRefusedError("amqp://localhost", "connect to");
  const { bus, transport } = scripted({
    open: ({ signal, status }) => {
      status({ state: "down", cause: new TypeError("not this one") });
      status({ state: "down", cause: refused });
      return never(signal);
    },
  });
  const abort = new AbortController();
  const starting = assertRejects(() => bus.start({ signal: abort.signal }), StartTimeoutError);
  await turn();
  abort.abort(timeout());
  const error = await starting;
  assert(error.cause === refused);
  for (const part of [`"app"`, "transport scripted", refused.message]) assertStringIncludes(error.message, part);
  assertEquals(error.details, { bus: "app", awaited: "transport scripted" });
  assertEquals(transport.asked.at(-1), "close");
});

test("a start whose signal runs out of time names the store, where that is what it waited for", async () => {
  const down = new TypeError("no disk");
  const store = new ScriptedStore();
  store.open = ({ status }) => {
    status({ state: "down", cause: down });
    return never();
  };
  const bus = createBus({ name: "app", transport: new ScriptedTransport(), store });
  const abort = new AbortController();
  const starting = assertRejects(() => bus.start({ signal: abort.signal }), StartTimeoutError, "store scripted");
  await turn();
  abort.abort(timeout());
  assert((await starting).cause === down);
});

test("a start whose signal runs out of time before anything was said has the signal's reason as its cause", async () => {
  const { bus } = scripted({ deploy: () => never() });
  const abort = new AbortController();
  const starting = assertRejects(() => bus.start({ signal: abort.signal }), StartTimeoutError);
  await turn();
  const reason = timeout();
  abort.abort(reason);
  const error = await starting;
  assert(error.cause === reason);
  assertEquals(error.details, { bus: "app" });
});

test("a signal that aborts after the start does nothing", async () => {
  const { bus, transport } = scripted({});
  const abort = new AbortController();
  await bus.start({ signal: abort.signal });
  abort.abort();
  await turn();
  assertEquals([transport.openSources, transport.asked.includes("close")], [3, false]);
  await bus.publish(Happened, order);
  assertEquals(transport.sent.length, 1);
  await bus.stop();
});

test("what comes while other endpoints still open is handled, and may be answered by sends", async () => {
  const gate = Promise.withResolvers<void>();
  const transport = new ScriptedTransport({
    receive: ({ queue }, sink) => {
      if (queue !== "one") return gate.promise;
      queueMicrotask(() =>
        sink.deliver([{
          frame: { contentType: "application/json", headers: { "hero-type": "orders.submit" }, body: bytes("{}") },
          key: undefined,
          via: undefined,
          deliveryCount: 1,
        }])
      );
      return Promise.resolve();
    },
  });
  const bus = createBus({ name: "app", transport, clock: new VirtualClock() });
  bus.endpoint("one").handle(Submit, (message, ctx) => ctx.publish(Happened, message));
  bus.endpoint("two").handle(Get, () => ({ ok: true }));
  const starting = bus.start();
  await turn();
  assertEquals(transport.sent.length, 1);
  gate.resolve();
  await starting;
  await bus.stop();
});
function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
