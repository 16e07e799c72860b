import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ConfigurationError, InvalidNameError, UnsupportedError } from "../../../src/errors/configuration.ts";
import { BackpressureError } from "../../../src/errors/sending.ts";
import { TopologyError } from "../../../src/errors/transport.ts";
import { sqlite } from "../../../stores/sqlite/mod.ts";
import { sqliteTransport } from "../../../transports/sqlite/mod.ts";
import { Waking } from "../../../transports/sqlite/waking.ts";
import { eventually, realTime } from "../../conformance/test_clock.ts";
import { frame, topology } from "../../conformance/transport/trial.ts";
import { openNative } from "../../stores/sqlite/native.ts";
import { test } from "../../support/runner.ts";
import { quiet, type Rig, withRig } from "./rig.ts";

/** What an operator selects. */
function select({ path }: Rig, sql: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  return openNative(path, (database) => database.prepare(sql).all().map((row) => ({ ...row })));
}

test("what cannot work is refused where it is written", () => {
  const store = sqlite("orders.db");
  for (const path of ["", ":memory:"]) assertThrows(() => sqliteTransport(path), ConfigurationError);
  assertThrows(() => sqliteTransport("a.db", { prefix: "1" }), InvalidNameError);
  assertThrows(() => sqliteTransport("a.db", { lease: 10 }), ConfigurationError);
  assertThrows(() => sqliteTransport("a.db", { pollInterval: 0 }), ConfigurationError);
  assertThrows(() => sqliteTransport("a.db", { maxUnsent: 0.5 }), ConfigurationError);
  assertThrows(() => sqliteTransport(store, { synchronous: "normal" }), ConfigurationError);
  assertThrows(() => sqliteTransport({ ...store }), ConfigurationError); // made by hand
});

test("a plan for a file without tables names the tables and all that is missing, and makes nothing", () =>
  withRig({}, async (rig) => {
    const transport = await rig.connect();
    const wanted = topology(["q"], { t: ["q"] });
    const plan = await transport.deploy(wanted, "plan");
    assertEquals(plan.map(({ kind, entity }) => [kind, entity]), [
      ["create", "migration:0001_queues"],
      ["create", "queue:q"],
      ["create", "topic:t"],
      ["create", "topic:t -> queue:q"],
    ]);
    assertEquals(await transport.deploy(wanted, "check"), plan);
    await assertRejects(() => rig.receive(transport, "q"), TopologyError);
    await assertRejects(() => rig.send(transport, "queue:q", {}), TopologyError);
    assertEquals(await transport.deploy(wanted, "apply"), plan);
    assertEquals(await transport.deploy(wanted, "check"), []);
  }));

test("a setting of another transport is refused", () =>
  withRig({ deploy: ["q"] }, async (rig) => {
    const transport = await rig.connect();
    const extensions = [{ transport: "rabbitmq", value: {} }];
    const deploy = () => transport.deploy({ queues: [{ name: "r", extensions }], topics: [], bindings: [] }, "apply");
    await assertRejects(deploy, UnsupportedError);
    await assertRejects(() => rig.receive(transport, "q", { extensions }), UnsupportedError);
  }));

test("operators see with any program what waits, is handled, is due later, and since when", () =>
  withRig({ deploy: topology(["q", "empty"]) }, async (rig) => {
    const transport = await rig.connect();
    const now = rig.clock.now();
    await rig.send(transport, "queue:q", { key: "k", priority: 5 }, {}, {}, { dueAt: now + 60_000 });
    const inbox = await rig.receive(transport, "q", { credit: 1 });
    await rig.clock.pass(0);
    const rows = await select(rig, "SELECT queue, waiting, active, delayed, delivered_again FROM hero_queue_overview");
    assertEquals(rows, [
      { queue: "empty", waiting: 0, active: 0, delayed: 0, delivered_again: 0 },
      { queue: "q", waiting: 2, active: 1, delayed: 1, delivered_again: 0 },
    ]);
    const times =
      "SELECT oldest_waiting_since AS oldest, next_due_at AS due FROM hero_queue_overview WHERE queue = 'q'";
    const [seen] = await select(rig, times);
    assertEquals(seen, { oldest: new Date(now).toISOString(), due: new Date(now + 60_000).toISOString() });
    const messages = await select(rig, 'SELECT state, priority, "key" FROM hero_queue_message_overview ORDER BY place');
    assertEquals(messages[0], { state: "active", priority: 5, key: "k" });
    assertEquals(messages.map(({ state }) => state), ["active", "waiting", "waiting", "delayed"]);
    await inbox.accept();
  }));

test("a lease is renewed for as long as the source says, then lost", () =>
  withRig({ deploy: ["q"] }, async (rig) => {
    const transport = await rig.connect();
    const inbox = await rig.receive(transport, "q", { credit: 1, holdMs: 100_000 });
    await rig.send(transport, "queue:q", { text: "held" });
    await rig.clock.pass(99_999);
    assertEquals([inbox.received.length, inbox.lostDeliveries.length], [1, 0]);
    await rig.clock.pass(1);
    assertEquals([inbox.received.length, inbox.lostDeliveries.length], [2, 1]);
    assertEquals(inbox.only.deliveryCount, 2);
  }));

test("what expires where nobody takes is dropped, and the queue of a receiver that died is taken away with all it has", () =>
  withRig({ deploy: topology(["q"], { t: [] }) }, async (rig) => {
    const transport = await rig.connect({ lease: "15s", pollInterval: "1s" });
    await rig.send(transport, "queue:q", { expiresAt: rig.clock.now() + 1_000 }, { text: "stays" });
    await openNative(rig.path, (database) => {
      database.exec("INSERT INTO hero_queue_queues (name, lifetime, ordered, until) VALUES ('dead', 'instance', 0, 1)");
      database.exec("INSERT INTO hero_queue_bindings VALUES ('t', 'queue:dead')");
      database.exec("UPDATE hero_queue_version SET version = 7");
    });
    await rig.send(transport, "topic:t", { text: "to the dead" });
    const count = async (table: string): Promise<unknown> =>
      (await select(rig, `SELECT count(*) AS n FROM hero_queue_${table}`))[0]?.["n"];
    assertEquals([await count("messages"), await count("queues")], [3, 2]);
    await rig.clock.pass(20_000);
    assertEquals([await count("messages"), await count("queues"), await count("bindings")], [1, 1, 0]);
  }));

test("a receiver that stood still for so long that its queue was taken away makes it anew, and says so", () =>
  withRig({ deploy: topology([], { t: [] }) }, async (rig) => {
    const transport = await rig.connect();
    const inbox = await rig.receive(transport, "mine", { lifetime: "instance", topics: ["t"] });
    await openNative(rig.path, (database) => {
      database.exec("DELETE FROM hero_queue_queues; DELETE FROM hero_queue_bindings");
      database.exec("UPDATE hero_queue_version SET version = 7");
    });
    await rig.clock.pass(20_000);
    assertEquals(inbox.readdresses, 1);
    await rig.send(transport, "topic:t", { text: "a" });
    await rig.clock.pass(0);
    assertEquals(inbox.texts, ["a"]);
    await inbox.accept();
    await inbox.stop();
    assertEquals((await select(rig, "SELECT * FROM hero_queue_queues")).length, 0);
  }));

test("what is due later in a topic waits for a queue where it is mandatory", () =>
  withRig({ deploy: topology(["q"], { t: ["q"] }) }, async (rig) => {
    const transport = await rig.connect();
    const dueAt = rig.clock.now() + 1_000;
    await rig.send(transport, "topic:t", { text: "command", mandatory: true, dueAt }, { text: "event", dueAt });
    await openNative(rig.path, (database) => {
      database.exec("DELETE FROM hero_queue_bindings; UPDATE hero_queue_version SET version = 7");
    });
    const inbox = await rig.receive(transport, "q");
    await rig.clock.pass(10_000);
    assertEquals(inbox.received.length, 0);
    await transport.deploy(topology(["q"], { t: ["q"] }), "apply");
    await rig.clock.pass(60_000);
    assertEquals(inbox.texts, ["command"]);
    await inbox.accept();
  }));

test("above its bound senders are asked to wait, and from twice that on refused", () =>
  withRig({ deploy: ["q"] }, async (rig) => {
    const transport = await rig.connect({ ...quiet, maxUnsent: 10 });
    const made = Array.from({ length: 25 }, (_, at) => rig.outgoing("queue:q", { text: String(at) }));
    const room = transport.send(made.map(({ outgoing }) => outgoing));
    assert(room !== undefined);
    await room;
    await Promise.all(made.slice(0, 20).map(({ settled }) => settled));
    for (const { settled } of made.slice(20)) await assertRejects(() => settled, BackpressureError);
    assertEquals(transport.send([rig.outgoing("queue:q").outgoing]), undefined);
  }));

test("while another process has the lock, sending waits, the event loop goes on, and nothing is lost or doubled", () =>
  withRig({ clock: realTime(), deploy: ["q"] }, async (rig) => {
    const transport = await rig.connect();
    const inbox = await rig.receive(transport, "q");
    await openNative(rig.path, async (database) => {
      database.exec("BEGIN IMMEDIATE");
      const sent = rig.send(transport, "queue:q", { text: "a" }, { text: "b" });
      let turns = 0;
      await eventually(rig.clock, "the event loop to turn", () => ++turns > 5);
      assertEquals(inbox.received.length, 0);
      database.exec("COMMIT");
      await sent;
    });
    await eventually(rig.clock, "them", () => inbox.received.length >= 2);
    assertEquals(inbox.texts, ["a", "b"]);
    await inbox.accept();
  }));

test("a message for a receiver that waits is leased by the commit that writes it; what waits already goes first", () =>
  withRig({ deploy: ["q"] }, async (rig) => {
    const transport = await rig.connect();
    const inbox = await rig.receive(transport, "q", { credit: 2 });
    await rig.clock.pass(0);
    const states = (): Promise<unknown> =>
      select(rig, "SELECT state, deliveries FROM hero_queue_messages ORDER BY place");
    const [leased, waiting] = [{ state: 4, deliveries: 1 }, { state: 2, deliveries: 0 }];
    await rig.send(transport, "queue:q", { text: "a" }, { text: "b" }, { text: "c" });
    assertEquals([inbox.texts, await states()], [["a", "b"], [leased, leased, waiting]]);
    await inbox.accept();
    await rig.send(transport, "queue:q", { text: "d" });
    await rig.clock.pass(0);
    assertEquals(inbox.texts, ["a", "b", "c", "d"]);
    assertEquals(inbox.received.map(({ deliveryCount, via }) => [deliveryCount, via]).at(0), [1, "queue:q"]);
    await inbox.accept();
    assertEquals(await states(), []);
  }));

test("a batch that cannot be written keeps no room of the receiver that it was for", () =>
  withRig({ deploy: ["q"] }, async (rig) => {
    const transport = await rig.connect();
    const inbox = await rig.receive(transport, "q", { credit: 1 });
    await rig.clock.pass(0);
    const body = Symbol("no bytes") as unknown as Uint8Array; // from JavaScript
    const bad = { frame: { contentType: "a/b", headers: {}, body } };
    const made = [{ text: "lost" }, bad].map((sending) => rig.outgoing("queue:q", sending));
    await transport.send(made.map(({ outgoing }) => outgoing));
    for (const { settled } of made) await assertRejects(() => settled);
    await rig.send(transport, "queue:q", { text: "next" });
    await rig.clock.pass(0);
    assertEquals(inbox.texts, ["next"]);
    await inbox.accept();
  }));

test("a settlement that cannot be written is tried again until it is, and health says so meanwhile", () =>
  withRig({ deploy: ["q"] }, async (rig) => {
    const states: string[] = [];
    const transport = sqliteTransport(rig.path, { synchronous: "normal", ...quiet });
    const { signal } = new AbortController();
    await transport.open({ bus: "orders", clock: rig.clock, signal, status: ({ state }) => states.push(state) });
    const inbox = await rig.receive(transport, "q");
    await rig.send(transport, "queue:q", { text: "a" });
    const refuse =
      "CREATE TRIGGER refuse BEFORE DELETE ON hero_queue_messages BEGIN SELECT raise(ABORT, 'not now'); END";
    await openNative(rig.path, (database) => database.exec(refuse));
    const accepted = inbox.accept();
    await rig.clock.pass(1_000);
    assertEquals(states.at(-1), "degraded");
    await openNative(rig.path, (database) => database.exec("DROP TRIGGER refuse"));
    await rig.clock.pass(1_000);
    await accepted;
    assertEquals(await transport.admin?.count("q"), { waiting: 0, active: 0, delayed: 0 });
    await rig.send(transport, "queue:q", { text: "b" });
    await openNative(rig.path, (database) => database.exec(refuse));
    const late = inbox.accept();
    await rig.clock.pass(100);
    const closed = transport.close(rig.clock.now() + 1_000);
    await rig.clock.pass(2_000);
    await Promise.all([closed, late]); // neither rejects
  }));

test("a backlog that is handled at once does not keep the event loop from turning", () =>
  withRig({ clock: realTime(), deploy: ["q"] }, async (rig) => {
    const transport = await rig.connect();
    for (let at = 0; at < 10; at++) {
      await rig.send(transport, "queue:q", ...Array.from({ length: 300 }, () => ({ text: "" })));
    }
    const inbox = await rig.receive(transport, "q", { credit: 0 });
    inbox.acceptAll();
    let turns = 0;
    const turn = (): void => {
      if (inbox.received.length === 3_000) return;
      turns++;
      setTimeout(turn, 0);
    };
    setTimeout(turn, 0);
    inbox.allowed = 10;
    inbox.receiver.credit(10);
    await eventually(rig.clock, "all", () => inbox.received.length === 3_000);
    assert(turns > 5, `The event loop has turned ${turns} times`);
  }));

test("what another process writes wakes a receiver that never looks by itself", () =>
  withRig({ clock: realTime(), deploy: ["q"] }, async (rig) => {
    const [sender, taker] = [await rig.elsewhere(), await rig.elsewhere({ pollInterval: "1h" })];
    const inbox = await rig.receive(taker, "q");
    for (let at = 1; at <= 20; at++) {
      await rig.send(sender, "queue:q", { text: String(at) });
      await eventually(rig.clock, `message ${at}`, () => inbox.received.length >= at);
      await inbox.accept();
    }
  }));

test("where the system tells nothing of writes, a look every so often finds those of others, and not its own", () =>
  withRig({ deploy: ["q"] }, async (rig) => {
    const { session } = await rig.store();
    const file = Object.create(session.file, { path: { value: `${rig.path}.missing` } }); // which cannot be watched
    let [changes, ticks] = [0, 0];
    const waking = new Waking({ ...session, file }, 1_000, () => changes++, () => ticks++);
    await waking.start();
    const before = changes;
    await session.writer.write((connection) => connection.exec("CREATE TABLE own (text TEXT)"));
    await rig.clock.pass(5_000);
    assertEquals([changes - before, ticks], [0, 5]);
    await rig.send(await rig.connect(), "queue:q", {});
    await rig.clock.pass(999);
    assertEquals(changes - before, 0);
    await rig.clock.pass(1);
    assertEquals(changes - before, 1);
    waking.close();
  }));

test("a queue becomes ordered while messages of its keys wait and are handled", () =>
  withRig({ deploy: ["q"] }, async (rig) => {
    const transport = await rig.connect();
    await rig.send(transport, "queue:q", ...["0", "1", "2"].map((text) => ({ text, key: "k" })), { text: "free" });
    const first = await rig.receive(transport, "q", { credit: 1 });
    await rig.clock.pass(0);
    const ordered = await rig.receive(transport, "q", { ordered: true });
    first.receiver.credit(0);
    await rig.clock.pass(0);
    assertEquals([first.texts, ordered.texts], [["0"], ["free"]]);
    await first.settle({ outcome: "release" });
    await rig.clock.pass(0);
    assertEquals(ordered.texts, ["free", "0"]);
    await ordered.accept();
    await rig.clock.pass(0);
    await ordered.accept();
    await rig.clock.pass(0);
    assertEquals(ordered.texts, ["free", "0", "1", "2"]);
    await ordered.accept();
    assertEquals(
      await transport.deploy(
        { queues: [{ name: "q", extensions: [], ordered: true }], topics: [], bindings: [] },
        "plan",
      ),
      [],
    );
  }));

test("taking goes past the order of keys, and what it releases stands where it stood", () =>
  withRig({ deploy: ["q"] }, async (rig) => {
    const transport = await rig.connect();
    const ordered = await rig.receive(transport, "q", { ordered: true, credit: 0 });
    await rig.send(transport, "queue:q", ...["0", "1", "2"].map((text) => ({ text, key: "k" })));
    const taken: string[] = [];
    const taker = await transport.admin?.take("q", {
      deliver: (batch) => {
        for (const delivery of batch) {
          taken.push(new TextDecoder().decode(delivery.frame.body));
          queueMicrotask(() => void taker?.settle([{ delivery, outcome: "release" }]));
        }
      },
      lost: () => {},
      readdressed: () => {},
    }, 1);
    await rig.clock.pass(0);
    await taker?.done;
    assertEquals(taken, ["0", "1", "2"]);
    ordered.allowed = 10;
    ordered.receiver.credit(10);
    for (let at = 1; at <= 3; at++) {
      await rig.clock.pass(0);
      assertEquals(ordered.unsettled.length, 1);
      await ordered.accept();
    }
    assertEquals(ordered.texts, ["0", "1", "2"]);
  }));

test("a row that cannot be read comes as unreadable, and can be moved away", () =>
  withRig({ deploy: ["q", "errors"] }, async (rig) => {
    const transport = await rig.connect();
    await rig.send(transport, "queue:q", { frame: frame("body", { a: 1 }) });
    await openNative(rig.path, (database) => database.exec("UPDATE hero_queue_messages SET headers = '{'"));
    const inbox = await rig.receive(transport, "q");
    await rig.clock.pass(0);
    assert(inbox.only.unreadable instanceof Error);
    assertEquals(inbox.texts, ["body"]);
    await inbox.settle({ outcome: "move", to: "queue:errors", headers: { reason: "damaged" } });
    const errors = await rig.receive(transport, "errors");
    await rig.clock.pass(0);
    assertEquals([errors.texts, errors.only.frame.headers], [["body"], { reason: "damaged" }]);
    await errors.accept();
  }));

test("a store that a transport was given stays open when the transport closes", () =>
  withRig({}, async (rig) => {
    const store = await rig.store();
    await store.deploy("apply");
    const transport = await rig.open(sqliteTransport(store, quiet));
    await transport.close(rig.clock.now());
    assertEquals(await store.deploy("check"), []);
    assertEquals(await store.outbox.stats("orders"), { waiting: 0, parked: 0, oldest: undefined });
  }));
