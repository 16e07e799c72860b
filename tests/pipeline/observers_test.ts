import { assert, assertEquals, assertRejects } from "@std/assert";
import { command, event, fault, query } from "../../mod.ts";
import type { BusObserver } from "../../mod.ts";
import { retry } from "../../src/pipeline/retry.ts";
import { Journal, trial } from "../support/trial.ts";

const Work = command<{ id: string }>("observers.work");
const Done = event<{ id: string }>("observers.done");
const Get = query<{ id: string }, { status: string }>("observers.get");

trial("an observer is told of what is sent, published, asked, answered, received and consumed", async (t) => {
  const bus = t.bus();
  const journal = new Journal();
  bus.observe(journal);
  bus.endpoint("work").handle(Work, ({ id }, ctx) => ctx.publish(Done, { id }));
  bus.endpoint("done").handle(Done, () => {});
  bus.endpoint("get").handle(Get, () => ({ status: "new" }));
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.settled();
  assertEquals(journal.lines, [
    "send observers.work",
    "received observers.work 1",
    "publish observers.done",
    "received observers.done 1",
    ...["consumed observers.done 1", "consumed observers.work 1"].sort((a, b) =>
      journal.lines.indexOf(a) - journal.lines.indexOf(b)
    ),
  ]);
  journal.lines.length = 0;
  await bus.request(Get, { id: "1" });
  await t.settled();
  assertEquals(journal.lines, [
    "request observers.get",
    "received observers.get 1",
    "respond observers.get",
    "consumed observers.get 1",
  ]);
});

trial("of each failed attempt it is told what becomes of it, and in the end of the fault", async (t) => {
  const bus = t.bus();
  const journal = new Journal();
  bus.observe(journal);
  bus.endpoint("work", { retry: retry.immediate(1), redeliver: ["1m"] }).handle(Work, (_, { attempt }) => {
    throw new Error(`no ${attempt}`);
  });
  bus.endpoint("faults").handle(fault(Work), () => {});
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.pass(60_000);
  assertEquals(journal.lines, [
    "send observers.work",
    "received observers.work 1",
    "retried observers.work 1 no 1 retry",
    "retried observers.work 2 no 2 redeliver",
    "received observers.work 3",
    "retried observers.work 3 no 3 retry",
    "faulted observers.work 4 no 4 error",
    "fault fault:observers.work",
    "received fault:observers.work 1",
    "consumed fault:observers.work 1",
  ]);
});

trial("it sees endpoint, ids, headers, contract and message, and what was sent where", async (t) => {
  const bus = t.bus();
  const seen: unknown[] = [];
  const observer: BusObserver = {
    sent: (send) =>
      void seen.push([
        send.kind,
        send.to,
        send.name,
        send.messageId,
        send.correlationId,
        { ...send.headers },
        send.message,
      ]),
    received: (delivery) =>
      void seen.push([
        delivery.endpoint,
        delivery.contract?.name,
        delivery.messageId,
        delivery.correlationId,
        delivery.conversationId,
        { ...delivery.headers },
        delivery.message,
      ]),
  };
  bus.observe(observer);
  bus.endpoint("work").handle(Work, () => {});
  await bus.start();
  await bus.send(Work, { id: "1" }, { messageId: "m-1", correlationId: "c-1", headers: { tenant: "north" } });
  await t.settled();
  assertEquals(seen, [
    ["send", "topic:observers.work", "observers.work", "m-1", "c-1", { tenant: "north" }, { id: "1" }],
    ["work", "observers.work", "m-1", "c-1", "m-1", { tenant: "north" }, { id: "1" }],
  ]);
});

trial("it is told of what the broker refuses, with the error", async (t) => {
  const bus = t.bus();
  const journal = new Journal();
  bus.observe(journal);
  await bus.start();
  await assertRejects(() => bus.send(Work, { id: "1" }));
  assertEquals(journal.lines, ["send observers.work UnroutableError"]);
});

trial("of a message that cannot be read it is told as far as it is known", async (t) => {
  const bus = t.bus();
  const seen: unknown[] = [];
  bus.observe({
    received: () => assert(false, "It was never read"),
    faulted: ({ name, messageId, contract, message, attempt, then }) =>
      void seen.push([name, messageId, contract, message, attempt, then]),
  });
  bus.endpoint("work").handle(Work, () => {});
  await bus.start();
  await t.put("queue:work", { body: "junk", headers: { "hero-type": "observers.work", "hero-id": "m-1" } });
  await t.settled();
  assertEquals(seen, [["observers.work", "m-1", undefined, undefined, 1, "error"]]);
});

trial("an observer that throws harms neither the message nor the other observers", async (t) => {
  const bus = t.bus();
  const journal = new Journal();
  const broken = new Proxy({}, {
    get: () => () => {
      throw new Error("the observer is broken");
    },
  }) as BusObserver;
  bus.observe(broken);
  bus.observe(journal);
  bus.endpoint("work").handle(Work, ({ id }) => {
    if (id === "bad") throw new Error("no");
  });
  await bus.start();
  await bus.send(Work, { id: "1" });
  await bus.send(Work, { id: "bad" });
  await t.put("queue:work", { body: "{}", headers: { "hero-type": "observers.unknown", "hero-id": "m" } });
  await t.settled();
  const { consumed, faulted, skipped } = bus.statistics("work");
  assertEquals({ consumed, faulted, skipped }, { consumed: 1, faulted: 1, skipped: 1 });
  assertEquals(journal.of("consumed").length, 1);
});

trial(
  "what was disconnected is told nothing more, also within the telling; connected twice, it is told twice",
  async (t) => {
    const bus = t.bus();
    const lines: string[] = [];
    const observer: BusObserver = { consumed: ({ messageId }) => void lines.push(messageId) };
    const disconnect = bus.observe(observer);
    const again = bus.observe(observer);
    bus.endpoint("work").handle(Work, () => {});
    await bus.start();
    const send = async (messageId: string): Promise<void> => {
      await bus.send(Work, { id: "1" }, { messageId });
      await t.settled();
    };
    await send("both");
    disconnect();
    disconnect();
    await send("one");
    again();
    await send("none");
    assertEquals(lines, ["both", "both", "one"]);
  },
);

trial("an observer that was connected while the bus runs is told from then on", async (t) => {
  const bus = t.bus();
  const journal = new Journal();
  bus.endpoint("work").handle(Work, () => {});
  await bus.start();
  await bus.send(Work, { id: "1" });
  await t.settled();
  bus.observe(journal);
  await bus.send(Work, { id: "2" });
  await t.settled();
  assertEquals(journal.lines, ["send observers.work", "received observers.work 1", "consumed observers.work 1"]);
});

trial("an async observer that rejects harms no message, and not the process", async (t) => {
  const bus = t.bus();
  // The type lets an async function stand for one without a result.
  const asyncRejects: () => void = () => Promise.reject(new TypeError("async observer"));
  bus.observe({
    sent: asyncRejects,
    published: asyncRejects,
    received: asyncRejects,
    consumed: asyncRejects,
    faulted: asyncRejects,
  });
  bus.endpoint("work").handle(Work, ({ id }) => {
    if (id === "bad") throw new Error("bad");
  });
  await bus.start();
  await bus.send(Work, { id: "good" });
  await bus.send(Work, { id: "bad" });
  await t.settled();
  const { consumed, faulted } = bus.statistics("work");
  assertEquals({ consumed, faulted }, { consumed: 1, faulted: 1 });
  // What rejects without a handler fails the run, a turn later.
  await new Promise((wake) => setTimeout(wake));
});
