import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  command,
  ConfigurationError,
  consumer,
  createBus,
  DuplicateOwnerError,
  event,
  NotStartedError,
  query,
  StoppedError,
  UnknownEndpointError,
} from "../../mod.ts";
import { ScriptedTransport } from "../support/fakes/scripted_transport.ts";
import { test } from "../support/runner.ts";
import { Latch, trial } from "../support/trial.ts";

const Work = command<{ id: string }>("connecting.work");
const Changed = event<{ id: string }>("connecting.changed");
const Seen = event<{ id: string }>("connecting.seen");
const Get = query<{ id: string }, { status: string }>("connecting.get");

trial("a consumer that is connected while the bus runs is an endpoint like the others", async (t) => {
  const bus = t.bus();
  const handled: string[] = [];
  bus.endpoint("first").handle(Changed, ({ id }) => void handled.push(`first ${id}`));
  bus.use((context, next) => {
    handled.push(`middleware ${context.endpoint}`);
    return next();
  });
  await bus.start();
  const connection = await bus.connect(consumer(Changed, ({ id }) => void handled.push(`second ${id}`)));
  assertEquals(connection.endpoint, "app-connecting.changed");
  await bus.publish(Changed, { id: "1" });
  await t.settled();
  assertEquals(handled.sort(), [
    "first 1",
    "middleware app-connecting.changed",
    "middleware first",
    "second 1",
  ]);
  assertEquals(bus.statistics(connection.endpoint).consumed, 1);
  assert(bus.describe().endpoints.some(({ name }) => name === connection.endpoint));
  assert(bus.health().parts.some(({ name }) => name === connection.endpoint));
});

trial("a query's owner may be connected, asked, and disconnected", async (t) => {
  const bus = t.bus();
  await bus.start();
  const connection = await bus.connect(consumer(Get, ({ id }) => ({ status: `of ${id}` })));
  assertEquals(connection.endpoint, "connecting.get");
  assertEquals(await bus.request(Get, { id: "1" }), { status: "of 1" });
  await connection.disconnect();
  assertThrows(() => bus.statistics("connecting.get"), UnknownEndpointError);
  assert(!bus.describe().endpoints.some(({ name }) => name === "connecting.get"));
});

trial("disconnecting lets what has started end, and gives the rest back; again, it does nothing more", async (t) => {
  const bus = t.bus();
  const latch = new Latch();
  const handled: string[] = [];
  await bus.start();
  const connection = await bus.connect(
    consumer(Work, async ({ id }) => {
      await latch.pass();
      handled.push(id);
    }),
    { concurrency: 1 },
  );
  for (const id of ["1", "2", "3"]) await bus.send(Work, { id });
  await t.settled();
  let gone = false;
  const disconnecting = connection.disconnect().then(() => gone = true);
  await t.settled();
  assertEquals(gone, false);
  latch.open();
  await disconnecting;
  await connection.disconnect();
  await connection[Symbol.asyncDispose]();
  assertEquals(handled, ["1"]);
  assertEquals(await t.count("connecting.work"), 2);
  const again = await bus.connect(consumer(Work, ({ id }) => void handled.push(`again ${id}`)));
  await t.settled();
  assertEquals(handled, ["1", "again 2", "again 3"]);
  assertEquals(again.endpoint, connection.endpoint);
});

trial(
  "at its deadline a disconnect tells handlers to stop; their messages go back, and nothing they do counts",
  async (t) => {
    const bus = t.bus();
    const latch = new Latch();
    const seen: string[] = [];
    let signal: AbortSignal | undefined;
    let late: string | undefined;
    bus.endpoint("seen").handle(Seen, ({ id }) => void seen.push(id));
    await bus.start();
    const connection = await bus.connect(consumer(Work, async (_, ctx) => {
      signal = ctx.signal;
      await latch.pass();
      late = await ctx.publish(Seen, { id: "late" }).then(() => "done", (error: Error) => error.name);
    }));
    await bus.send(Work, { id: "1" });
    await t.settled();
    const disconnecting = connection.disconnect({ deadline: "5s" });
    await t.pass(4_999);
    assertEquals(signal?.aborted, false);
    await t.pass(1);
    await disconnecting;
    assertEquals(signal?.reason?.name, "StopDeadlineError");
    assertEquals(await t.count("connecting.work"), 1);
    latch.open();
    await t.settled();
    assertEquals(late, "StopDeadlineError");
    assertEquals(seen, []);
    assertEquals(await t.count("connecting.work"), 1);
  },
);

trial("what cannot be connected leaves nothing behind", async (t) => {
  const bus = t.bus();
  bus.endpoint("work").handle(Work, () => {});
  await bus.start();
  await assertRejects(() => bus.connect(consumer(Work, () => {}, { name: "work" })), ConfigurationError, `"work"`);
  await assertRejects(() => bus.connect(consumer(Work, () => {}, { name: "second" })), DuplicateOwnerError);
  await assertRejects(() => bus.connect(consumer(Changed, () => {}), { concurrency: 0 }), ConfigurationError);
  assertEquals(bus.describe().endpoints.map(({ name }) => name), ["work"]);
  await bus.connect(consumer(Changed, () => {}, { name: "second" }));
  assertEquals(bus.describe().endpoints.map(({ name }) => name), ["work", "second"]);
});

trial("before the start, and after the stop, nothing is connected", async (t) => {
  const bus = t.bus();
  await assertRejects(() => bus.connect(consumer(Changed, () => {})), NotStartedError);
  await bus.start();
  await bus.stop();
  await assertRejects(() => bus.connect(consumer(Changed, () => {})), StoppedError);
});

trial("a contract of which the bus learns by a connection is known to its endpoints from then on", async (t) => {
  const bus = t.bus();
  const Base = event<{ id: string }>("connecting.base");
  const Derived = event<{ id: string; more: number }>("connecting.derived", { extends: Base });
  const seen: unknown[] = [];
  bus.endpoint("base").handle(Base, (message, ctx) => {
    seen.push([message, ctx.contract.name]);
  });
  await bus.start();
  const sender = t.bus({ name: "sender" });
  await sender.start();
  await sender.publish(Derived, { id: "1", more: 1 });
  await t.settled();
  await bus.connect(consumer(Derived, () => {}));
  await sender.publish(Derived, { id: "2", more: 2 });
  await t.settled();
  assertEquals(seen, [
    [{ id: "1", more: 1 }, "connecting.base"],
    [{ id: "2", more: 2 }, "connecting.derived"],
  ]);
});

trial("a bus that stops takes its connections with it", async (t) => {
  const bus = t.bus();
  let handled = 0;
  await bus.start();
  const connection = await bus.connect(consumer(Work, () => void handled++));
  await bus.stop();
  await connection.disconnect();
  await t.put("queue:connecting.work", {
    body: `{"id":"1"}`,
    headers: { "hero-type": "connecting.work", "hero-id": "1" },
  });
  await t.settled();
  assertEquals(handled, 0);
});

test("a bus that stops while a consumer is being connected refuses it, and leaves no queue open", async () => {
  const opening = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const transport = new ScriptedTransport({
    receive: () => {
      asked.resolve();
      return opening.promise;
    },
  });
  const bus = createBus({ name: "app", transport });
  await bus.start();
  const connecting = bus.connect(consumer(Changed, () => {}));
  connecting.catch(() => {});
  await asked.promise;
  const stopping = bus.stop();
  opening.resolve();
  await assertRejects(() => connecting, StoppedError, "connecting.changed");
  await stopping;
  assertEquals(transport.openSources, 0);
});
