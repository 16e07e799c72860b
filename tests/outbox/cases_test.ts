/** What other libraries got wrong about outbox, inbox and stores, on memory and SQLite: cases 15 to 67. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { command, DisconnectedError, event, type Transport, UnserializableError } from "../../mod.ts";
import type { Bus } from "../../src/bus/bus.ts";
import type { BusOptions } from "../../src/bus/bus_options.ts";
import { memoryDatabase, memoryStore } from "../../stores/memory/mod.ts";
import { memory } from "../../transports/memory/mod.ts";
import { LeaseBroker } from "../support/fakes/lease_broker.ts";
import { LeaseTransport } from "../support/fakes/lease_transport.ts";
import { OffsetBroker } from "../support/fakes/offset_broker.ts";
import { OffsetTransport } from "../support/fakes/offset_transport.ts";
import { sqliteTrial } from "../support/sqlite_trial.ts";
import { textOf, type Trial, trial } from "../support/trial.ts";

const Work = command<{ id: number; text?: string }>("cases.work");
const Done = event<{ id: number; text?: string }>("cases.done", { key: () => "one" });
const Remind = command<{ id: number }>("cases.remind");

const minute = 60_000;

type MakeBus = (options?: Partial<Omit<BusOptions<unknown>, "store">>) => Bus<unknown>;

/** Registers a test for each store, with buses whose rows outlive them. */
function onStores(name: string, run: (t: Trial, make: MakeBus) => Promise<void>): void {
  trial(`${name}: memory`, async (t) => {
    const database = memoryDatabase();
    const made: Bus[] = [];
    await run(t, (options) => {
      const bus = t.bus({ ...options as object, store: memoryStore({ database }) });
      made.push(bus);
      return bus as Bus<unknown>;
    });
  });
  sqliteTrial(`${name}: SQLite`, (t, file) => run(t, (options) => file.bus(options as object) as Bus<unknown>));
}

/** Notes what comes of an event or command. */
function note(bus: Bus<unknown>, got: string[]): void {
  bus.endpoint("done").handle(Done, ({ id }, { messageId }) => void got.push(`${id} ${messageId}`));
}

/** A transport that takes no events while it is away. */
function flaky(t: Trial, broker: { away: boolean }): Transport {
  const transport = memory({ broker: t.broker });
  const send = transport.send.bind(transport);
  transport.send = (batch) => {
    const rest = batch.filter((outgoing) => {
      if (!broker.away || outgoing.to !== "topic:cases.done") return true;
      outgoing.settled(new DisconnectedError("memory", "send"));
      return false;
    });
    return rest.length === 0 ? undefined : send(rest);
  };
  return transport;
}

onStores(
  "a handler that outlives its connection settles nothing, and the message has one effect (case 15)",
  async (t, make) => {
    const transport = memory({ broker: t.broker });
    const settled: string[] = [];
    const receive = transport.receive.bind(transport);
    transport.receive = async (source, sink) => {
      const receiver = await receive(source, sink);
      const settle = receiver.settle.bind(receiver);
      receiver.settle = (batch) => {
        if (source.queue === "work") settled.push(...batch.map(({ outcome }) => outcome));
        return settle(batch);
      };
      return receiver;
    };
    const bus = make({ transport });
    const [got, runs]: [string[], string[]] = [[], []];
    bus.endpoint("work", { outbox: true }).handle(Work, async ({ id }, ctx) => {
      runs.push("begun");
      await new Promise<void>((resolve) => t.clock.at(t.clock.now() + 5_000, resolve));
      runs.push(ctx.signal.aborted ? "lost" : "done");
      await ctx.publish(Done, { id });
    });
    note(bus, got);
    await bus.start();
    await bus.send(Work, { id: 1 });
    await t.pass(1_000);
    t.broker.disconnect(transport);
    await t.pass(20_000);
    assertEquals([runs, settled, got.length], [["begun", "begun", "lost", "done"], ["accept"], 1]);
  },
);

onStores(
  "delays beyond a timer's range are never early, and can be taken back in any part of them (case 19)",
  async (t, make) => {
    const bus = make();
    const start = t.clock.now();
    const got: number[] = [];
    bus.endpoint("reminders").handle(Remind, ({ id }) => void got.push(id - (t.clock.now() - start)));
    await bus.start();
    const delays = [2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 15_552_000_000];
    for (const id of delays) await bus.schedule(Remind, { id }, { in: id });
    const taken = await bus.schedule(Remind, { id: -1 }, { in: 3 * 2 ** 31 });
    await bus.schedule(Remind, { id: 0 }, { in: 0 });
    await bus.schedule(Remind, { id: 0 }, { at: new Date(start - minute) });
    await t.settled();
    assertEquals(got.map(Math.abs), [0, 0]);
    // The bus does not run meanwhile: a poll each second over months is no test of anything.
    await bus.stop();
    for (const due of [2 ** 31 - 1, 2 ** 32 - 1, 15_552_000_000]) {
      await t.pass(due - 5 - (t.clock.now() - start));
      const later = make();
      later.endpoint("reminders").handle(Remind, ({ id }) => void got.push(id - (t.clock.now() - start)));
      await later.start();
      if (due === 2 ** 32 - 1) await later.unschedule(taken);
      await t.pass(10);
      await later.stop();
    }
    // Each at its time, to the millisecond.
    assertEquals(got.map(Math.abs), [0, 0, ...delays.map(() => 0)]);
  },
);

onStores(
  "`__proto__` in a payload or header passes through the outbox and changes no prototype (case 25)",
  async (t, make) => {
    const bus = make();
    const seen: unknown[] = [];
    bus.endpoint("work", { outbox: true }).handle(
      Work,
      (message, ctx) => ctx.publish(Done, message, { headers: ctx.headers }),
    );
    bus.endpoint("done").handle(Done, (message, ctx) => {
      seen.push(Object.hasOwn(message, "__proto__"), Reflect.get(message, "admin"), Reflect.get(ctx.headers, "admin"));
    });
    await bus.start();
    const headers = { "hero-id": "1", "hero-type": "cases.work", ["__proto__x"]: "y" };
    await t.put("queue:work", { body: `{"id":1,"__proto__":{"admin":true}}`, headers });
    await t.settled();
    assertEquals([Reflect.get({}, "admin"), await t.count("work_error"), seen], [undefined, 0, [
      true,
      undefined,
      undefined,
    ]]);
  },
);

onStores(
  "a unit that commits later than one begun after it loses nothing, and is sent once (case 29)",
  async (t, make) => {
    const [first, second] = [make(), make()];
    const got: string[] = [];
    note(first, got);
    await first.start();
    await second.start();
    const gate = Promise.withResolvers<void>();
    const slow = first.transaction(async (_, sender) => {
      await sender.publish(Done, { id: 1 });
      await gate.promise;
    });
    // SQLite's only writer is not held: nobody has used the transaction.
    await second.transaction((_, sender) => sender.publish(Done, { id: 2 }));
    await t.pass(minute);
    assertEquals(got.map((each) => each.split(" ")[0]), ["2"]);
    gate.resolve();
    await slow;
    await t.pass(minute);
    assertEquals(got.map((each) => each.split(" ")[0]), ["2", "1"]);
  },
);

onStores(
  "rows of one key leave in the order of their commits, whichever process sends them (case 29)",
  async (t, make) => {
    const broker = { away: false };
    const buses = [make({ transport: flaky(t, broker) }), make({ transport: flaky(t, broker) })];
    const got: string[] = [];
    const reader = make({ name: "reader" });
    reader.endpoint("done", { concurrency: 1 }).handle(Done, ({ id }) => void got.push(`${id}`));
    await reader.start();
    for (const bus of buses) await bus.start();
    for (let id = 0; id < 60; id++) {
      broker.away = id >= 20 && id < 40;
      await buses[id % 2]?.transaction((_, sender) => sender.publish(Done, { id }));
      if (id % 7 === 0) await t.pass(1_500);
    }
    await t.pass(10 * minute);
    assertEquals(got, Array.from({ length: 60 }, (_, id) => `${id}`));
  },
);

onStores(
  "NUL passes through outbox and schedules, a lone surrogate is refused where it is sent (case 33)",
  async (t, make) => {
    const bus = make();
    const got: unknown[] = [];
    const text = "a\u0000b";
    bus.endpoint("work", { outbox: true }).handle(Work, async ({ id }, ctx) => {
      if (id === 3) throw new Error(`broken ${text} \ud800`);
      await ctx.publish(Done, { id, text }, { key: text });
      const refused = await ctx.publish(Done, { id, text: "\ud800" }).catch((error) => error);
      assert(refused instanceof UnserializableError && refused.message.includes("text"), String(refused));
    });
    bus.endpoint("done").handle(Done, (message) => void got.push(message.text));
    await bus.start();
    await bus.send(Work, { id: 1 });
    await bus.schedule(Done, { id: 2, text }, { in: "1s" });
    await assertRejects(() => bus.schedule(Done, { id: 2, text: "\ud800" }, { in: "1s" }), UnserializableError, "text");
    await bus.send(Work, { id: 3 });
    await t.pass(2_000);
    assertEquals(got, [text, text]);
    const [failed] = await t.peek("work_error");
    const told = String(failed?.frame.headers["hero-error-message"]);
    assert(told.startsWith("broken a") && told.endsWith("\ufffd") && told.isWellFormed(), JSON.stringify(told));
  },
);

onStores(
  "what cannot be sent, for a reason with NUL in it, is parked and holds nothing up (case 33)",
  async (t, make) => {
    const transport = memory({ broker: t.broker });
    const send = transport.send.bind(transport);
    transport.send = (batch) => {
      const rest = batch.filter((outgoing) => {
        if (outgoing.messageId !== "bad") return true;
        outgoing.settled(new Error("a\u0000b \ud800"));
        return false;
      });
      return rest.length === 0 ? undefined : send(rest);
    };
    const bus = make({ transport });
    const got: string[] = [];
    note(bus, got);
    await bus.start();
    await bus.transaction(async (_, sender) => {
      await sender.publish(Done, { id: 1 }, { messageId: "bad" });
      await sender.publish(Done, { id: 2 }, { messageId: "good" });
    });
    await t.pass(100 * minute);
    const errors: string[] = [];
    for await (const { error } of bus.parked().list()) errors.push(error);
    assertEquals([errors, got], [["Error: a\ufffdb \ufffd"], ["2 good"]]);
  },
);

onStores(
  "a restart neither stretches nor repeats a delay, and what was taken back meanwhile stays so (case 43)",
  async (t, make) => {
    const start = t.clock.now();
    const got: string[] = [];
    const life = async () => {
      const bus = make();
      bus.endpoint("reminders").handle(
        Remind,
        ({ id }) => void got.push(`${id} at ${(t.clock.now() - start) / minute}`),
      );
      await bus.start();
      return bus;
    };
    const until = (minutes: number) => t.pass(minutes * minute - (t.clock.now() - start));
    let bus = await life();
    await bus.schedule(Remind, { id: 15 }, { in: "15m" });
    await bus.schedule(Remind, { id: 30 }, { in: "30m" });
    const taken = await bus.schedule(Remind, { id: 35 }, { in: "35m" });
    for (const at of [10, 12, 14]) {
      await until(at);
      await bus.stop();
      bus = await life();
    }
    await until(16);
    assertEquals(got, ["15 at 15"]);
    await bus.unschedule(taken);
    await bus.stop();
    await until(40);
    bus = await life();
    await until(90);
    assertEquals(got, ["15 at 15", "30 at 40"]);
  },
);

onStores("what comes again behind a hole in a log is known, and has no second effect (case 59)", async (t, make) => {
  const log = new OffsetBroker();
  for (const topic of ["queue:work", "retry:work"]) {
    log.create(topic, 1);
    log.group("work").subscribe(log.partitions(topic) ?? []);
  }
  const hole = { open: true };
  const [handled, got]: [number[], string[]] = [[], []];
  const life = async () => {
    const transport = new OffsetTransport(log);
    const bus = make({ transport });
    bus.endpoint("work", { outbox: true, concurrency: 8 }).handle(Work, async ({ id }, ctx) => {
      if (id === 4 && hole.open) await new Promise(() => {});
      handled.push(id);
      await ctx.publish(Done, { id });
    });
    bus.endpoint("done").handle(Done, ({ id }, { messageId }) => void got.push(`${id} ${messageId}`));
    await bus.start();
    return { bus, transport };
  };
  const { bus: first, transport } = await life();
  for (let id = 1; id <= 7; id++) await first.send(Work, { id }, { to: "queue:work" });
  await t.settled();
  assertEquals(handled.toSorted(), [1, 2, 3, 5, 6, 7]);
  transport.die();
  await first.stop({ deadline: 0 });
  hole.open = false;
  const { bus: second } = await life();
  await t.pass(2 * minute);
  assertEquals(handled.toSorted(), [1, 2, 3, 4, 5, 6, 7]);
  assertEquals([got.length, new Set(got).size], [7, 7]);
  const { consumed, duplicate } = second.statistics("work");
  assert(consumed === 1 && duplicate === 3, `${consumed} were handled, ${duplicate} were known`);
});

onStores(
  "a lease that is lost while the handler runs aborts it, and the message has one effect (case 67)",
  async (t, make) => {
    const broker = new LeaseBroker();
    const transport = new LeaseTransport(broker);
    const bus = make({ transport });
    const [got, runs, failed]: [string[], string[], unknown[]] = [[], [], []];
    bus.observe({ faulted: (failure) => void failed.push(failure.error) });
    bus.endpoint("work", { outbox: true, hold: "10m" }).handle(Work, async ({ id }, ctx) => {
      const first = runs.length === 0;
      runs.push("begun");
      await ctx.publish(Done, { id });
      await new Promise<void>((resolve) => t.clock.at(t.clock.now() + (first ? 40_000 : 1), resolve));
      runs.push(ctx.signal.aborted ? "lost" : "done");
    });
    note(bus, got);
    await bus.start();
    await bus.send(Work, { id: 1 }, { to: "queue:work" });
    await t.pass(20_000);
    transport.expire();
    await t.pass(5 * minute);
    assertEquals([runs.toSorted(), got.length, failed], [["begun", "begun", "done", "lost"], 1, []]);
  },
);

trial("the body of an outbox message is the bytes that were made when it was sent (case 25, case 33)", async (t) => {
  const bus = t.bus({ store: memoryStore() });
  bus.endpoint("done", { concurrency: 1 }).handle(Done, () => {
    throw new Error("to the error queue");
  });
  await bus.start();
  await bus.transaction((_, sender) => sender.publish(Done, { id: 1, text: "a\u0000b" }));
  await t.settled();
  const [message] = await t.peek("done_error");
  assertEquals(message === undefined ? "" : textOf(message), `{"id":1,"text":"a\\u0000b"}`);
});
