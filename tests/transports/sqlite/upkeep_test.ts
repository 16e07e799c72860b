/** What goes on in the background, and what is told of it: leases, queues of receivers that live or not, health. */
import { assertEquals } from "@std/assert";
import { sqliteTransport } from "../../../transports/sqlite/mod.ts";
import { topology } from "../../conformance/transport/trial.ts";
import { openNative } from "../../stores/sqlite/native.ts";
import { test } from "../../support/runner.ts";
import { quiet, type Rig, withRig } from "./rig.ts";

function select({ path }: Rig, sql: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  return openNative(path, (database) => database.prepare(sql).all().map((row) => ({ ...row })));
}

function run({ path }: Rig, sql: string): Promise<void> {
  return openNative(path, (database) => database.exec(sql));
}

/** From then on no message can be taken away. */
const refuse = "CREATE TRIGGER refuse BEFORE DELETE ON hero_queue_messages BEGIN SELECT raise(ABORT, 'not now'); END";

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

test("the queue of a receiver that lives is kept, however long", () =>
  withRig({ deploy: topology([], { t: [] }) }, async (rig) => {
    const transport = await rig.connect({ lease: "15s", pollInterval: "1s" });
    const inbox = await rig.receive(transport, "mine", { lifetime: "instance", topics: ["t"] });
    await rig.send(transport, "topic:t", { text: "held" });
    await rig.clock.pass(590_000);
    await rig.send(transport, "topic:t", { text: "more" });
    await rig.clock.pass(0);
    assertEquals([inbox.texts, inbox.readdresses, inbox.lostDeliveries], [["held", "more"], 0, []]);
    await inbox.accept();
  }));

test("a receiver that stood still for so long that its queue was taken away makes it anew, and says so", () =>
  withRig({ deploy: topology([], { t: [] }) }, async (rig) => {
    const transport = await rig.connect();
    const inbox = await rig.receive(transport, "mine", { lifetime: "instance", topics: ["t"] });
    await rig.send(transport, "topic:t", { text: "held" });
    await rig.clock.pass(0);
    await openNative(rig.path, (database) => {
      database.exec("DELETE FROM hero_queue_queues; DELETE FROM hero_queue_bindings");
      database.exec("UPDATE hero_queue_version SET version = 7");
    });
    await rig.clock.pass(20_000);
    assertEquals([inbox.readdresses, inbox.lostDeliveries.length], [1, 1]);
    await rig.send(transport, "topic:t", { text: "a" });
    await rig.clock.pass(0);
    assertEquals(inbox.texts, ["held", "a"]);
    await inbox.accept();
    await inbox.stop();
    assertEquals((await select(rig, "SELECT * FROM hero_queue_queues")).length, 0);
  }));

test("a settlement that cannot be written is tried again until it is, and health says so meanwhile", () =>
  withRig({ deploy: ["q"] }, async (rig) => {
    const states: string[] = [];
    const transport = sqliteTransport(rig.path, { synchronous: "normal", ...quiet });
    const { signal } = new AbortController();
    await transport.open({ bus: "orders", clock: rig.clock, signal, status: ({ state }) => states.push(state) });
    const inbox = await rig.receive(transport, "q");
    await rig.send(transport, "queue:q", { text: "a" });
    await run(rig, refuse);
    const accepted = inbox.accept();
    await rig.clock.pass(1_000);
    assertEquals(states.at(-1), "degraded");
    await run(rig, "DROP TRIGGER refuse");
    await rig.clock.pass(1_000);
    await accepted;
    assertEquals(await transport.admin?.count("q"), { waiting: 0, active: 0, delayed: 0 });
    assertEquals(states.at(-1), "up");
    await rig.send(transport, "queue:q", { text: "b" });
    await run(rig, refuse);
    const late = inbox.accept();
    await rig.clock.pass(100);
    const closed = transport.close(rig.clock.now() + 1_000);
    await rig.clock.pass(2_000);
    await Promise.all([closed, late]); // neither rejects
  }));

test("a look for what has expired that fails is told of, and so is that it works again, with nobody receiving", () =>
  withRig({ deploy: ["q"] }, async (rig) => {
    const states: string[] = [];
    const transport = sqliteTransport(rig.path, { synchronous: "normal", pollInterval: "1s" });
    const { signal } = new AbortController();
    await transport.open({ bus: "orders", clock: rig.clock, signal, status: ({ state }) => states.push(state) });
    await rig.send(transport, "queue:q", { expiresAt: rig.clock.now() + 1 });
    await run(rig, refuse);
    await rig.clock.pass(20_000);
    assertEquals(states.at(-1), "degraded");
    await run(rig, "DROP TRIGGER refuse");
    await rig.clock.pass(20_000);
    assertEquals(states.at(-1), "up");
    await transport.close(rig.clock.now());
  }));

test("what a transport holds when it closes is given back at once", () =>
  withRig({ deploy: ["q"] }, async (rig) => {
    const transport = await rig.connect();
    const inbox = await rig.receive(transport, "q");
    await rig.send(transport, "queue:q", { text: "held" });
    await rig.clock.pass(0);
    assertEquals(inbox.texts, ["held"]);
    await transport.close(rig.clock.now());
    const next = await rig.receive(await rig.connect(), "q");
    await rig.clock.pass(0); // no time in which a lease could end
    assertEquals([next.texts, next.only.deliveryCount], [["held"], 2]);
    await next.accept();
  }));

test("a lease lasts 30 s, and a look is half a second away, unless it is told otherwise", () =>
  withRig({ deploy: ["q"] }, async (rig) => {
    const waits: number[] = [];
    const background = {
      now: () => rig.clock.now(),
      at: (time: number, run: () => void) => {
        waits.push(time - rig.clock.now());
        return rig.clock.at(time, run);
      },
    };
    const transport = sqliteTransport(rig.path, { synchronous: "normal" });
    const { signal } = new AbortController();
    await transport.open({ bus: "orders", clock: { ...rig.clock, background }, signal, status: () => {} });
    assertEquals(waits, [500]);
    const inbox = await rig.receive(transport, "q");
    await rig.send(transport, "queue:q", {});
    await rig.clock.pass(0);
    assertEquals(await select(rig, "SELECT at FROM hero_queue_messages"), [{
      at: Math.ceil(rig.clock.now()) + 30_000,
    }]);
    await inbox.accept();
    await transport.close(rig.clock.now());
  }));
