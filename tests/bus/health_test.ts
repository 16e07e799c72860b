import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { command, createBus, event, memory, memoryStore, query, saga, type Transport, type } from "../../mod.ts";
import {
  ConflictError,
  StoreBusyError,
  StoreFullError,
  StoreReadOnlyError,
  StoreTimeoutError,
} from "../../src/errors/store.ts";
import { ScriptedStore } from "../support/fakes/scripted_store.ts";
import { ScriptedTransport } from "../support/fakes/scripted_transport.ts";
import { test } from "../support/runner.ts";
import { trial } from "../support/trial.ts";

const transportPart = (transport: Transport) => {
  const bus = createBus({ name: "app", transport });
  return {
    bus,
    part: () => bus.health().parts.find(({ name }) => name === "transport memory"),
  };
};

test("the health of a bus shows what its transport counts, anew each time", async () => {
  let unconfirmed = 3;
  const transport: Transport = Object.defineProperty(memory(), "counts", {
    get: () => ({ connections: 2, unconfirmed, blocked: undefined }),
  });
  const { bus, part } = transportPart(transport);
  await bus.start();

  assertEquals(part()?.counts, { connections: 2, unconfirmed: 3, blocked: undefined });
  unconfirmed = 0;
  assertEquals(part()?.counts?.["unconfirmed"], 0);
  assertEquals(part()?.status, "healthy");
  await bus.stop();
});

test("a transport that counts nothing shows no counts", async () => {
  const { bus, part } = transportPart(memory());
  await bus.start();

  assertEquals(part(), { name: "transport memory", status: "healthy" });
  await bus.stop();
});

const Begun = event<{ id: string }>("jobs.begun");
const Job = saga("job", {
  data: type<object>(),
  states: ["running"],
  events: (on) => ({ begun: on.start(Begun, (m) => m.id, () => ({})) }),
}, ({ initially, when }) => [initially(when("begun").transitionTo("running"))]);

/** As a broker's that is a process of its own. */
const lasting = (): Transport => {
  const transport = memory();
  const { delay } = transport.capabilities;
  const capabilities = { ...transport.capabilities, delay: delay === false ? delay : { ...delay, durable: true } };
  return Object.defineProperty(transport, "capabilities", { value: capabilities });
};

test("sagas whose instances die with the process, and whose messages do not, degrade a bus", async () => {
  const bus = createBus({ name: "app", transport: lasting() });
  bus.add(Job);
  await bus.start();
  const { status, parts } = bus.health();
  assertEquals(status, "degraded");
  const store = parts.find(({ name }) => name === "store memory");
  assertStringIncludes(store?.reason ?? "", `keeps the instances of "job" in this process alone`);
  await bus.stop();
});

test("sagas on a store in memory that was asked for, or on a broker in memory, degrade nothing", async () => {
  for (const options of [{ transport: lasting(), store: memoryStore() }, { transport: memory() }]) {
    const bus = createBus({ name: "app", ...options });
    bus.add(Job);
    await bus.start();
    assertEquals(bus.health().status, "healthy");
    await bus.stop();
  }
});

test("an outbox that dies with the process, and whose messages do not, degrades a bus", async () => {
  const bus = createBus({ name: "app", transport: lasting() });
  bus.endpoint("jobs", { outbox: true }).handle(Begun, () => {});
  bus.endpoint("groups", { outbox: { inboxWindow: "1d" } }).handle(Begun, () => {});
  bus.endpoint("held", { outbox: "memory" }).handle(Begun, () => {});
  await bus.start();
  const { status, parts } = bus.health();
  assertEquals(status, "degraded");
  const store = parts.find(({ name }) => name === "store memory");
  assertStringIncludes(store?.reason ?? "", `keeps the inbox and outbox of "jobs", "groups" in this process alone`);
  await bus.stop();
});

test("an outbox on a store in memory that was asked for, or on a broker in memory, degrades nothing", async () => {
  for (const options of [{ transport: lasting(), store: memoryStore() }, { transport: memory() }]) {
    const bus = createBus({ name: "app", ...options });
    bus.endpoint("jobs", { outbox: true }).handle(Begun, () => {});
    await bus.start();
    assertEquals(bus.health().status, "healthy");
    await bus.stop();
  }
});

/** As a store whose rows outlive the process. */
const keeping = (): ScriptedStore => new ScriptedStore(undefined, { durable: true });

test("queues that die with the process, and whose messages a store has had, degrade a bus, which says what to do", async () => {
  const bus = createBus({ name: "app", store: keeping() });
  bus.endpoint("jobs", { outbox: true }).handle(Begun, () => {});
  bus.endpoint("mails").handle(Begun, () => {});
  bus.endpoint("caches", { queue: "instance" }).handle(Begun, () => {}); // whose queue ends with its process anywhere
  await bus.start();
  const { status, parts } = bus.health();
  assertEquals(status, "degraded");
  const transport = parts.find(({ name }) => name === "transport memory");
  assertStringIncludes(transport?.reason ?? "", `keeps the queues of "jobs", "mails" in this process alone`);
  assertStringIncludes(transport?.reason ?? "", "createBus({ store, transport: sqliteTransport(store) })");
  assertEquals(parts.filter((part) => part.status !== "healthy"), [transport]);
  await bus.stop();
});

test("queues in memory that were asked for, or have nobody to be kept for, degrade nothing", async () => {
  for (
    const options of [
      { store: keeping(), transport: memory() },
      { store: keeping(), transport: lasting() },
      { store: memoryStore() },
      {},
    ]
  ) {
    const bus = createBus({ name: "app", ...options });
    bus.endpoint("jobs", { outbox: true }).handle(Begun, () => {});
    await bus.start();
    assertEquals(bus.health().status, "healthy");
    await bus.stop();
  }
  const sender = createBus({ name: "app", store: keeping() });
  await sender.start();
  assertEquals(sender.health().status, "healthy");
  await sender.stop();
});

test("observers are told when a transport or store is another way than before, also while the bus starts", async () => {
  const reached = Promise.withResolvers<void>();
  const transport = new ScriptedTransport({ open: () => reached.promise });
  const bus = createBus({ name: "app", transport, store: memoryStore() });
  const told: (readonly [string, string, string | undefined])[] = [];
  bus.observe({ status: ({ name, state, cause }) => void told.push([name, state, cause?.message]) });
  const starting = bus.start();
  const refused = () => transport.host?.status({ state: "down", cause: new Error("wrong password") });
  refused();
  assertEquals(told, [["transport scripted", "down", "wrong password"]]);
  refused(); // each try says so
  reached.resolve();
  await starting;
  assertEquals(told.slice(1), [["transport scripted", "up", undefined], ["store memory", "up", undefined]]);
  transport.host?.status({ state: "degraded", cause: new Error("no room") });
  assertEquals(told.at(-1), ["transport scripted", "degraded", "no room"]);
  await bus.stop();
  assertEquals(told.length, 4);
});

const Task = command<{ id: number }>("jobs.task", { to: "queue:tasks" });

trial("an endpoint whose failed messages cannot be moved is degraded, and says why", async (t) => {
  const transport = memory({ broker: t.broker });
  const receive = transport.receive.bind(transport);
  transport.receive = async (source, sink) => {
    const receiver = await receive(source, sink);
    const settle = receiver.settle.bind(receiver);
    receiver.settle = (batch) =>
      batch.some(({ outcome }) => outcome === "move") ? Promise.reject(new Error("it is full")) : settle(batch);
    return receiver;
  };
  const bus = t.bus({ transport });
  bus.endpoint("tasks").handle(Task, () => {
    throw new Error("no");
  });
  await bus.start();
  await bus.send(Task, { id: 1 });
  const part = () => bus.health().parts.find(({ name }) => name === "tasks");
  await t.pass(1_000);
  assertEquals(part(), {
    name: "tasks",
    status: "degraded",
    reason: "It can neither move messages nor put them off, so that they come again: it is full",
  });
});

trial(
  "a store whose commits fail degrades a bus, until one succeeds or none has been tried for a minute",
  async (t) => {
    const store = new ScriptedStore();
    const bus = t.bus({ store });
    bus.endpoint("jobs", { outbox: true }).handle(Begun, () => {});
    await bus.start();
    const part = () => bus.health().parts.find(({ name }) => name === "store scripted");
    const healthy = { name: "store scripted", status: "healthy" } as const;
    const fails = async (error: Error | undefined) => {
      store.script = (call) => {
        if (call === "commit" && error !== undefined) throw error;
      };
      await bus.publish(Begun, { id: "1" });
      await t.settled();
    };
    const late = new StoreTimeoutError("scripted", "a disk", "it took too long");
    await fails(late);
    assertEquals(part(), { name: "store scripted", status: "degraded", reason: `Units of work fail: ${late.message}` });
    await fails(undefined);
    assertEquals(part(), healthy);
    await fails(late);
    await t.pass(59_000);
    assertEquals(part()?.status, "degraded");
    await t.pass(1_000);
    assertEquals(part(), healthy);
    // It says nothing about the store.
    await fails(new ConflictError("an instance"));
    assertEquals(part(), healthy);
  },
);

for (const error of [new StoreFullError("scripted", "a disk"), new StoreReadOnlyError("scripted", "a disk")]) {
  trial(`messages whose store says ${error.code} are held, which degrades a bus for as long`, async (t) => {
    const store = new ScriptedStore();
    const bus = t.bus({ store });
    let runs = 0;
    bus.endpoint("jobs", { outbox: true }).handle(Begun, () => void runs++);
    await bus.start();
    const part = () => bus.health().parts.find(({ name }) => name === "store scripted");
    store.script = (call) => {
      if (call === "commit") throw error;
    };
    await bus.publish(Begun, { id: "1" });
    await t.settled();
    const reason = `1 message is held: ${error.message}`;
    assertEquals(part(), { name: "store scripted", status: "degraded", reason });
    await bus.publish(Begun, { id: "2" });
    await t.pass(3_600_000);
    assertEquals(part()?.reason, `2 messages are held: ${error.message}`);
    // What is tried may fit where the unit does not: each time after a longer wait, up to a minute.
    assert(runs >= 2 * 60 && runs < 2 * 100, String(runs));
    store.script = () => {};
    await t.pass(60_000);
    assertEquals(part(), { name: "store scripted", status: "healthy" });
    const { consumed, retried, faulted } = bus.statistics("jobs");
    assertEquals({ consumed, retried, faulted }, { consumed: 2, retried: 0, faulted: 0 });
  });
}

trial("a store that takes nothing is asked once a second, however many messages are held", async (t) => {
  const store = new ScriptedStore();
  const readOnly = new StoreReadOnlyError("scripted", "a disk");
  store.script = (call) => {
    if (call === "commit") throw readOnly;
  };
  const lease = store.lease.bind(store);
  let asked = 0;
  store.lease = () => {
    asked++;
    return Promise.reject(readOnly);
  };
  const bus = t.bus({ store });
  const messages = 100;
  bus.endpoint("jobs", { outbox: true, concurrency: messages }).handle(Begun, () => {});
  await bus.start();
  for (let id = 0; id < messages; id++) await bus.publish(Begun, { id: String(id) });
  await t.pass(60_000);
  assert(asked >= 10 && asked <= 61, String(asked));
  store.script = () => {};
  store.lease = lease;
  await t.pass(10_000);
  assertEquals([bus.statistics("jobs").consumed, bus.health().status], [messages, "healthy"]);
});

const Asked = query<{ id: string }, { known: boolean }>("jobs.asked");
const Asking = saga("asking", {
  data: type<object>(),
  states: ["begun"],
  events: (on) => ({ begun: on.start(Begun, ({ id }) => id, () => ({})), asked: on(Asked, ({ id }) => id) }),
}, ({ initially, duringAny, when }) => [
  initially(when("begun").transitionTo("begun")),
  duringAny(when("asked").respond(() => ({ known: true }))),
]);

trial("a query that waits for its store to begin counts among what is held, though no inbox has it", async (t) => {
  const store = new ScriptedStore();
  const bus = t.bus({ store });
  bus.add(Asking, { outbox: true });
  await bus.start();
  await bus.publish(Begun, { id: "1" });
  await t.settled();
  const busy = new StoreBusyError("scripted", "a pool", 1, 1);
  store.script = (call) => {
    if (call === "begin") throw busy;
  };
  const answer = bus.request(Asked, { id: "1" });
  answer.catch(() => {}); // where the bus ends before
  await t.settled();
  const part = () => bus.health().parts.find(({ name }) => name === "store scripted");
  assertEquals(part()?.reason, `1 message is held: ${busy.message}`);
  store.script = () => {};
  await t.pass(10_000);
  assertEquals([await answer, part()?.status], [{ known: true }, "healthy"]);
});

trial("a bus stops though messages are held, and who comes next handles them", async (t) => {
  const store = new ScriptedStore();
  store.script = (call) => {
    if (call === "commit") throw new StoreReadOnlyError("scripted", "a disk");
  };
  const runs: string[] = [];
  const start = async (name: string, on: ScriptedStore) => {
    const bus = t.bus({ store: on });
    bus.endpoint("jobs", { outbox: true }).handle(Begun, () => void runs.push(name));
    await bus.start();
    return bus;
  };
  const first = await start("first", store);
  await first.publish(Begun, { id: "1" });
  await t.settled();
  const stopping = first.stop();
  await t.pass(30_000);
  await stopping;
  const { faulted } = first.statistics("jobs");
  const inVain = runs.length;
  const second = await start("second", new ScriptedStore());
  await t.settled();
  assertEquals([faulted, runs.slice(inVain), second.statistics("jobs").consumed], [0, ["second"], 1]);
});
