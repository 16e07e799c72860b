/** What JavaScript lets pass, and types do not: each mistake is an error that says where it is and what to do. */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  type BusObserver,
  command,
  ConfigurationError,
  consumer,
  contextKey,
  createBus,
  event,
  InvalidDurationError,
  jsonSerializer,
  memory,
  memoryBroker,
  memoryStore,
  query,
} from "../../mod.ts";
import { test } from "../support/runner.ts";

const Work = command<object>("javascript.work");
const Done = event<object>("javascript.done");

/** From JavaScript, anything may be given. */
function any(value: unknown): never {
  return value as never;
}

function refusesOption(option: string, value: unknown, says: string): void {
  assertThrows(() => createBus(any({ name: "shop", [option]: value })), ConfigurationError, says);
}

test("routes that are no lists by address are refused where the bus is made", () => {
  for (const routes of [[Work], "queue:orders", null, 5]) {
    refusesOption("routes", routes, `{ routes } of the bus "shop"`);
  }
  refusesOption("routes", { "queue:orders": Work }, `what is routed to "queue:orders" is no list`);
  createBus({ name: "shop", routes: { "queue:orders": [Work] } });
});

test("contracts, serializers and transforms that are no lists of such are refused where the bus is made", () => {
  for (const option of ["contracts", "serializers", "transforms"]) {
    for (const value of [{}, Work, "orders", null]) {
      refusesOption(option, value, `{ ${option} } of the bus "shop": they are no list`);
    }
  }
  refusesOption("contracts", ["orders"], "is not a contract");
  refusesOption("serializers", [JSON], "lacks some of { serialize, deserialize }");
  refusesOption("transforms", [{}], "lacks some of { apply, restore }");
});

test("a serializer, clock, naming or telemetry that is none is refused where the bus is made", () => {
  for (const serializer of [{}, "json", jsonSerializer, JSON, null]) {
    refusesOption("serializer", serializer, `{ serializer } of the bus "shop": it is none`);
  }
  for (const clock of [Date, {}, null]) refusesOption("clock", clock, `{ clock } of the bus "shop": it is none`);
  for (const telemetry of [true, {}]) refusesOption("telemetry", telemetry, `{ telemetry } of the bus "shop"`);
  for (const naming of ["kebab", null]) refusesOption("naming", naming, `{ naming } of the bus "shop"`);
  refusesOption("naming", { queue: "orders" }, "its queue is no function");
  refusesOption("naming", { endpoint: () => "" }, "there is no such option");
  for (const option of ["newId", "random"]) {
    refusesOption(option, 4, `{ ${option} } of the bus "shop": 4 is no function`);
  }
});

test("what cannot observe is refused: nothing would be told to it", () => {
  const bus = createBus({ name: "shop" });
  for (const observer of [undefined, null, () => {}, "faulted"]) {
    assertThrows(() => bus.observe(any(observer)), ConfigurationError, `observe the bus "shop": it is no object`);
  }
  assertThrows(() => bus.observe(any({ faulted: "log" })), ConfigurationError, "{ faulted } observe");
  assertThrows(() => bus.observe(any({ fault: () => {} })), ConfigurationError, "Write { faulted }");
});

test("an observer may be of a class that has more, or have what is no function beside it", () => {
  class Counting implements BusObserver {
    count = 0;
    faulted = (): void => void this.count++;
    print = (): string => String(this.count);
  }
  const bus = createBus({ name: "shop" });
  bus.observe(new Counting());
  bus.observe(any({ count: 0, sent() {} }));
  bus.observe({});
});

test("a duration that is none is told with the option it was given as", async () => {
  const start = (options: object) => {
    const bus = createBus({ name: "shop" });
    bus.endpoint("orders", options).handle(Work, () => {});
    return bus.start();
  };
  for (const option of ["timeout", "hold"]) {
    const error = await assertRejects(() => start({ [option]: "5 s" }), InvalidDurationError);
    assertEquals(error.message.startsWith(`Cannot use "5 s" as { ${option} } of the endpoint "orders": `), true);
  }
  await assertRejects(
    () => start({ redeliver: ["1 m"] }),
    InvalidDurationError,
    `{ redeliver } of the endpoint "orders"`,
  );
  await assertRejects(() => start({ rateLimit: { limit: 1 } }), InvalidDurationError, "{ per } of a rate limit");
  await assertRejects(() => start({ extensions: {} }), ConfigurationError, "{ extensions } are no list");
  await assertRejects(() => start({ concurrency: "5" }), ConfigurationError, `its concurrency is "5"`);
  assertThrows(() => command("javascript.ttl", { ttl: any("1 h") }), InvalidDurationError, `contract "javascript.ttl"`);
});

test("a contract's options that are none are shown as they were given", () => {
  assertThrows(() => command("javascript.x", { version: any("2") }), ConfigurationError, `the version "2"`);
  assertThrows(() => command("javascript.x", { priority: any("5") }), ConfigurationError, `the priority "5"`);
  assertThrows(() => command("javascript.x", { to: any({}) }), ConfigurationError, `to {}: that is not an address`);
  for (const replies of [[Done], {}, "found"]) {
    assertThrows(() => query("javascript.q", any({ replies })), ConfigurationError, `the replies of "javascript.q"`);
  }
});

test("a batch without options says what is missing", () => {
  const endpoint = createBus({ name: "shop" }).endpoint("archive");
  assertThrows(
    () => endpoint.batch(Done, any(() => {}), any(undefined)),
    ConfigurationError,
    "its options are missing",
  );
});

test("calls refuse options, signals, headers, times and tokens that are none", async () => {
  const bus = createBus({ name: "shop", store: memoryStore() });
  bus.endpoint("orders").handle(Work, () => {});
  await bus.start();
  const refused = async (work: () => Promise<unknown>, says: string) => {
    await assertRejects(work, ConfigurationError, says);
  };
  await refused(() => bus.send(Work, {}, any(null)), `null as the options of send() on "shop"`);
  await refused(() => bus.send(Work, {}, any("queue:x")), `"queue:x" as the options of send() on "shop"`);
  await refused(() => bus.send(Work, {}, { signal: any({}) }), `{ signal } of send() on "shop": it is no AbortSignal`);
  await refused(() => bus.request(Work, {}, { signal: any(new AbortController()) }), "Give its signal");
  for (const headers of [["a"], "a", null]) {
    await refused(() => bus.send(Work, {}, { headers: any(headers) }), "with these headers");
  }
  for (const when of [undefined, null, {}, "1h", new Date()]) {
    await refused(() => bus.schedule(Work, {}, any(when)), "say when");
  }
  await refused(() => bus.schedule(Work, {}, any({ in: "1h", at: new Date() })), "both { in } and { at } say when");
  await refused(() => bus.schedule(Work, {}, any({ in: NaN })), "{ in } of a schedule");
  for (const token of [undefined, null, "abc", {}]) {
    await refused(() => bus.unschedule(any(token)), "it is none. Give what schedule() gave");
  }
  await refused(() => bus.unschedule(any(bus.schedule(Work, {}, { in: "1h" }))), "Await what schedule() gives");
  await bus.stop();
});

test("operations refuse what is none of theirs", async () => {
  const bus = createBus({ name: "shop" });
  await assertRejects(() => bus.deploy(any(undefined)), ConfigurationError, `say "plan", "check" or "apply"`);
  await assertRejects(() => bus.deploy(any("now")), ConfigurationError, `Cannot deploy "now"`);
  bus.endpoint("orders").handle(Work, () => {});
  await bus.start();
  await assertRejects(() => bus.transaction(any(undefined)), ConfigurationError, "is no function");
  assertThrows(() => bus.sagas(any(undefined)), ConfigurationError, "this is no saga");
  assertThrows(() => bus.stream(any("done")), ConfigurationError, "the contract to stream");
  assertThrows(() => bus.sink(any(undefined)), ConfigurationError, "the contract of a sink");
  await assertRejects(() => bus.errors("orders").requeue(any([5])), ConfigurationError, "by [5]");
  await assertRejects(
    () => Array.fromAsync(bus.errors("orders").list({ limit: -1 })),
    ConfigurationError,
    "Cannot list -1",
  );
  await bus.stop();
  await assertRejects(
    () => createBus({ name: "shop" }).start({ signal: any(5) }),
    ConfigurationError,
    `{ signal } of start() on "shop"`,
  );
});

test("a context key that is none is refused, where it is made and where it is used", async () => {
  assertThrows(() => contextKey(any(undefined)), ConfigurationError, "its name is undefined");
  const bus = createBus({ name: "shop" });
  const errors: unknown[] = [];
  bus.endpoint("orders").handle(Work, (_, ctx) => {
    for (const use of [() => ctx.get(any("tenant")), () => ctx.set(any("tenant"), any(1))]) {
      try {
        use();
      } catch (error) {
        errors.push(error);
      }
    }
  });
  await bus.start();
  await bus.request(Work, {});
  await bus.stop();
  assertEquals(errors.map((error) => error instanceof ConfigurationError), [true, true]);
});

test("signals and options of streams, lists and connections that are none are refused, and nothing waits for them", async () => {
  const bus = createBus({ name: "shop", store: memoryStore() });
  bus.endpoint("orders").handle(Work, () => {});
  await bus.start();
  for (const signal of [any(5), any(new AbortController())]) {
    assertThrows(() => bus.stream(Done, { signal }), ConfigurationError, `{ signal } of stream() on "shop"`);
    await assertRejects(() => Array.fromAsync(bus.errors("orders").list({ signal })), ConfigurationError, "{ signal }");
    await assertRejects(() => Array.fromAsync(bus.parked().list({ signal })), ConfigurationError, "{ signal }");
  }
  await assertRejects(
    () => Array.fromAsync(bus.errors("orders").list({ after: any(5) })),
    ConfigurationError,
    "after 5",
  );
  await assertRejects(() => Array.fromAsync(bus.parked().list(any(null))), ConfigurationError, "null as the options");
  await assertRejects(() => bus.parked().release(any([5])), ConfigurationError, "by [5]");
  const connection = await bus.connect(consumer(Done, () => {}));
  for (const options of [any(5), any(null), any({ timeout: 5 })]) {
    await assertRejects(
      () => connection.disconnect(options),
      ConfigurationError,
      `disconnect() of "shop-javascript.done"`,
    );
  }
  await connection.disconnect();
  await bus.stop();
});

test("options of what is made in memory, and of the serializer, are checked as all others", () => {
  for (const make of [memoryStore, memoryBroker, jsonSerializer, memory, memory.queue]) {
    for (const options of [any(5), any(null), any({ max: 1 })]) {
      assertThrows(() => make(options), ConfigurationError, "()");
    }
  }
});
