import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ConfigurationError, InvalidNameError, UnsupportedError } from "../../../src/errors/configuration.ts";
import { BackpressureError } from "../../../src/errors/sending.ts";
import { TopologyError } from "../../../src/errors/transport.ts";
import { sqlite } from "../../../stores/sqlite/mod.ts";
import { sqliteTransport } from "../../../transports/sqlite/mod.ts";
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
  const url = "postgres://ada:secret@localhost/orders";
  const { message } = assertThrows(() => sqliteTransport(url), ConfigurationError, "begins with postgres://");
  assert(!message.includes("secret"));
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
    assert(turns > 10, `The event loop has turned ${turns} times`);
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
