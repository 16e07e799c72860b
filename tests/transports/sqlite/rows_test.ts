/** What a message is as a row: its order, its times, its priority, and for what its commit waits. */
import { assert, assertEquals } from "@std/assert";
import { sqliteTransport, type SqliteTransportOptions } from "../../../transports/sqlite/mod.ts";
import { topology } from "../../conformance/transport/trial.ts";
import { openNative } from "../../stores/sqlite/native.ts";
import { collected } from "../../support/collected.ts";
import { test } from "../../support/runner.ts";
import { quiet, type Rig, withRig } from "./rig.ts";

function select({ path }: Rig, sql: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  return openNative(path, (database) => database.prepare(sql).all().map((row) => ({ ...row })));
}

function execute({ path }: Rig, sql: string): Promise<unknown> {
  return openNative(path, (database) => database.exec(sql));
}

test("SQLite transport: what another process has sent is not overtaken by what is handed over", () =>
  withRig({ deploy: ["q"] }, async (rig) => {
    const transport = await rig.connect();
    const inbox = await rig.receive(transport, "q");
    await rig.clock.pass(0);
    const other = await rig.elsewhere();
    const sent = rig.send(other, "queue:q", { text: "first" });
    await sent; // and nobody has told of it here
    await rig.send(transport, "queue:q", { text: "second" });
    await rig.clock.pass(0);
    assertEquals(inbox.texts, ["first", "second"]);
    await inbox.accept();
  }));

test("SQLite transport: a priority beyond the levels counts as the nearest, and a part of one as none", () =>
  withRig({ deploy: ["q"] }, async (rig) => {
    const transport = await rig.connect();
    const priorities = [1, 1.9, -3, 255, 300, 0];
    await rig.send(transport, "queue:q", ...priorities.map((priority) => ({ text: String(priority), priority })));
    const inbox = await rig.receive(transport, "q");
    await rig.clock.pass(0);
    assertEquals(inbox.texts, ["255", "300", "1", "1.9", "-3", "0"]);
    await inbox.accept();
  }));

test("SQLite transport: a message has not expired within the millisecond in which it will", () =>
  withRig({ deploy: ["q"] }, async (rig) => {
    const transport = await rig.connect();
    await rig.send(transport, "queue:q", { text: "a", expiresAt: rig.clock.now() + 1.5 });
    await rig.clock.pass(1);
    const inbox = await rig.receive(transport, "q");
    await rig.clock.pass(0);
    assertEquals(inbox.texts, ["a"]);
    await inbox.accept();
  }));

test("SQLite transport: what is sent or moved waits for the disk, what is taken or accepted does not", () =>
  withRig({ deploy: ["q", "errors"] }, async (rig) => {
    const options: SqliteTransportOptions = { ...quiet, synchronous: "full" };
    const transport = await rig.connect(options);
    // Asked within the statement, by the connection that does it.
    const watch = (what: string): string =>
      `CREATE TRIGGER see_${what} AFTER ${what} ON hero_queue_messages ` +
      `BEGIN INSERT INTO seen SELECT '${what}', synchronous FROM pragma_synchronous; END;`;
    await execute(
      rig,
      `CREATE TABLE seen (what TEXT, waits INTEGER); ${["INSERT", "UPDATE", "DELETE"].map(watch).join("")}`,
    );
    const seen = async (): Promise<readonly unknown[]> => {
      const found = await select(rig, "SELECT what, waits = 2 AS waits FROM seen ORDER BY rowid");
      await execute(rig, "DELETE FROM seen");
      return found.map(({ what, waits }) => `${what} ${waits === 1 ? "waits" : "does not"}`);
    };
    await rig.send(transport, "queue:q", { text: "a" }, { text: "b" });
    assertEquals(await seen(), ["INSERT waits", "INSERT waits"]);
    const inbox = await rig.receive(transport, "q");
    await rig.clock.pass(0);
    assertEquals(await seen(), ["UPDATE does not", "UPDATE does not"]);
    const [a, b] = inbox.received;
    await inbox.accept([a!]);
    assertEquals(await seen(), ["DELETE does not"]);
    await inbox.settle({ outcome: "move", to: "queue:errors", headers: {} }, [b!]);
    assertEquals(await seen(), ["INSERT waits", "DELETE waits"]);
  }));

test("SQLite transport: what was taken together before the order of keys counted is accepted together with that order", () =>
  withRig({ deploy: ["q"] }, async (rig) => {
    const transport = await rig.connect();
    const first = await rig.receive(transport, "q", { credit: 2 });
    await rig.send(transport, "queue:q", ...["a", "b", "a"].map((key, at) => ({ text: String(at), key })));
    await rig.clock.pass(0);
    assertEquals(first.texts, ["0", "1"]);
    first.receiver.credit(0);
    const second = await rig.receive(transport, "q", { ordered: true });
    await rig.clock.pass(0);
    assertEquals(second.texts, []);
    await first.accept();
    await rig.clock.pass(0);
    assertEquals(second.texts, ["2"]);
    await second.accept();
  }));

test("SQLite transport: a key waits for what was taken for its priority before the order of keys counted", () =>
  withRig({ deploy: ["q"] }, async (rig) => {
    const transport = await rig.connect();
    const first = await rig.receive(transport, "q", { credit: 0 });
    const sent = [0, 0, 5, 5].map((priority, at) => ({ text: String(at), key: "k", priority }));
    await rig.send(transport, "queue:q", ...sent);
    first.allowed = 2;
    first.receiver.credit(2);
    await rig.clock.pass(0);
    assertEquals(first.texts, ["2", "3"]);
    first.receiver.credit(0);
    const second = await rig.receive(transport, "q", { ordered: true });
    const [two, three] = first.received;
    await first.accept([two!]);
    await rig.clock.pass(0);
    assertEquals(second.texts, []);
    await first.accept([three!]);
    await rig.clock.pass(0);
    assertEquals(second.texts, ["0"]);
    await second.accept();
    await rig.clock.pass(0);
    await second.accept();
    assertEquals(second.texts, ["0", "1"]);
  }));

test("SQLite transport: a queue that is a receiver's own is no durable one, and is not made one", () =>
  withRig({ deploy: topology([], { t: [] }) }, async (rig) => {
    const transport = await rig.connect();
    await rig.receive(transport, "mine", { lifetime: "instance", topics: ["t"] });
    const changes = await transport.deploy(topology(["mine"]), "apply");
    assertEquals(changes.map(({ kind, entity }) => [kind, entity]), [["conflict", "queue:mine"]]);
    assertEquals(await select(rig, "SELECT lifetime FROM hero_queue_queues"), [{ lifetime: "instance" }]);
  }));

test("SQLite transport: a receiver's own queue is its for three leases, and for a minute at least", () =>
  withRig({ deploy: topology([], { t: [] }) }, async (rig) => {
    for (const [lease, ms] of [["15s", 60_000], ["30s", 90_000]] as const) {
      const transport = await rig.connect({ ...quiet, lease });
      const own = await rig.receive(transport, "mine", { lifetime: "reply" });
      const [queue] = await select(rig, "SELECT until FROM hero_queue_queues");
      assertEquals(queue, { until: Math.ceil(rig.clock.now() + ms) });
      await own.stop();
    }
  }));

test("SQLite transport: where a sender knows no hierarchy, each queue gets what is sent to topic and bases once", () =>
  withRig({ deploy: topology(["a", "b"], { t: ["a"], base: ["a", "b"] }) }, async (rig) => {
    const transport = await rig.connect();
    await rig.send(transport, "topic:t", { alsoTo: ["topic:base"] });
    const { waiting: a } = await transport.admin?.count("a") ?? {};
    const { waiting: b } = await transport.admin?.count("b") ?? {};
    assertEquals([a, b], [1, 1]);
  }));

test("SQLite transport: a row that cannot be read and has expired is dropped, and holds nobody up", () =>
  withRig({ deploy: ["q"] }, async (rig) => {
    const transport = await rig.connect();
    await rig.send(transport, "queue:q", { expiresAt: rig.clock.now() + 1 }, { text: "kept" });
    await execute(rig, "UPDATE hero_queue_messages SET headers = '{' WHERE expires_at IS NOT NULL");
    await rig.clock.pass(10);
    const inbox = await rig.receive(transport, "q");
    await rig.clock.pass(0);
    assertEquals(inbox.texts, ["kept"]);
    await inbox.accept();
  }));

test("SQLite transport: receivers that have stopped, and transports that are closed, are kept by nobody", () =>
  withRig({ deploy: ["q"] }, async (rig) => {
    const store = await rig.store();
    const transport = await rig.open(sqliteTransport(store, quiet));
    const gone: WeakRef<object>[] = [];
    const leave = async (): Promise<void> => {
      const { receiver } = await rig.receive(transport, "q");
      await receiver.stop();
      gone.push(new WeakRef(receiver));
    };
    await leave();
    await rig.clock.pass(0);
    assert(await collected(gone), "The receiver is still there");
    const listeners = store.session.file.listeners.size;
    await transport.close(rig.clock.now());
    assertEquals(store.session.file.listeners.size, listeners - 1);
  }));
