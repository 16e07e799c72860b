import { assertEquals } from "@std/assert";
import { createBus, event, fault } from "../../mod.ts";
import { definitionOf } from "../../src/contracts/definition.ts";
import { Registry } from "../../src/contracts/registry.ts";
import { messageOf, rowOf } from "../../src/outbox/stored_message.ts";
import { OutgoingMessage } from "../../src/pipeline/outgoing_message.ts";
import type { Frame } from "../../src/spi/frame.ts";
import type { OutboxRow } from "../../src/spi/rows.ts";
import { memoryStore } from "../../stores/memory/mod.ts";
import { test } from "../support/runner.ts";

const Base = event<{ id: string }>("stored.base");
const Derived = event<{ id: string }>("stored.derived", { extends: Base });

function registryOf(...contracts: readonly unknown[]): Registry {
  const registry = new Registry();
  for (const contract of contracts) registry.add(definitionOf(contract, "a test's contract"));
  return registry;
}

const body = new TextEncoder().encode(`{"id":"1"}`);

function frameOf(type: string): Frame {
  return {
    contentType: "application/json",
    headers: {
      "hero-id": "m",
      "hero-type": type,
      "hero-meta": `{"correlation":"c","destination":"topic:stored"}`,
      tenant: "x",
    },
    body,
  };
}

function rowWith(type: string, headers: Record<string, string> = {}, to = "topic:stored"): OutboxRow {
  const frame = frameOf(type);
  return {
    id: "m",
    group: "g",
    key: undefined,
    to,
    frame: { ...frame, headers: { ...frame.headers, ...headers } },
    dueAt: 0,
    expiresAt: undefined,
  };
}

test("a message that was a row is sent as it was made: bytes, headers, base topics, key, priority, times", () => {
  const registry = registryOf(Derived);
  const definition = definitionOf(Derived, "a test's contract");
  const envelope = messageOf(rowWith("stored.derived"), registry).envelope;
  const sent = new OutgoingMessage(
    frameOf("stored.derived"),
    { envelope: { ...envelope, expiresAt: 9 }, message: {} },
    "publish",
    {
      definition,
      alsoTo: ["topic:stored.base"],
    },
    { key: "k", priority: 2, dueAt: 5 },
  );
  const row = rowOf(sent, { group: "g", dueAt: 0, dueAtBroker: 5 });
  const again = messageOf(row, registry);
  for (const each of [sent, again]) {
    const { to, alsoTo, key, priority, dueAt, expiresAt, mandatory, messageId, kind, frame } = each;
    assertEquals(
      { to, alsoTo, key, priority, dueAt, expiresAt, mandatory, messageId, kind, frame: { ...frame } },
      {
        to: "topic:stored",
        alsoTo: ["topic:stored.base"],
        key: "k",
        priority: 2,
        dueAt: 5,
        expiresAt: 9,
        mandatory: false,
        messageId: "m",
        kind: "publish",
        frame: frameOf("stored.derived"),
      },
    );
  }
  assertEquals(again.definition, definition);
});

test("what a row says to itself is no part of what it sends, and is no header of an application", () => {
  const row = rowOf(messageOf(rowWith("stored.derived"), registryOf(Derived)), { group: "g", dueAt: 7 });
  assertEquals(JSON.parse(String(row.frame.headers["hero-outbox"])), { kind: "publish" });
  const message = messageOf(row, registryOf(Derived));
  assertEquals("hero-outbox" in message.frame.headers, false);
  assertEquals({ ...message.envelope.headers }, { tenant: "x" });
  assertEquals(message.dueAt, undefined);
});

test("a row without notes is a command where it goes to a queue, and an event where it goes to a topic", () => {
  const registry = registryOf(Derived);
  assertEquals(messageOf(rowWith("stored.derived"), registry).kind, "publish");
  assertEquals(messageOf(rowWith("stored.derived", {}, "queue:x"), registry).mandatory, true);
});

test("a process that does not know a row's contract sends it all the same; faults and replies are known by theirs", () => {
  const registry = registryOf(Derived);
  assertEquals(messageOf(rowWith("elsewhere.made;v=3"), registry).definition.name, "elsewhere.made");
  assertEquals(
    messageOf(rowWith("fault:stored.derived"), registry).definition,
    definitionOf(fault(Derived), "a fault"),
  );
  assertEquals(messageOf(rowWith("reply:stored.derived"), registry).definition.name, "stored.derived");
});

test("a row says that it is fresh unless the id of its message was given", async () => {
  const store = memoryStore();
  const rows: OutboxRow[] = [];
  const begin = store.begin.bind(store);
  store.begin = async (scope) => {
    const unit = await begin(scope);
    const commit = unit.commit.bind(unit);
    unit.commit = (changes) => {
      rows.push(...changes.outbox);
      return commit(changes);
    };
    return unit;
  };
  const bus = createBus({ name: "fresh", store });
  await bus.start();
  try {
    await bus.publish(Base, { id: "the first has its contract looked at" });
    await bus.transaction(async (_, sender) => {
      await sender.publish(Base, { id: "made" });
      await sender.publish(Base, { id: "given" }, { messageId: crypto.randomUUID() });
    });
  } finally {
    await bus.stop();
  }
  assertEquals(rows.map(({ fresh }) => fresh), [true, false]);
});
