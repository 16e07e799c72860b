import { assert, assertEquals, assertExists, assertRejects } from "@std/assert";
import { ClaimLostError } from "../../../src/errors/receiving.ts";
import { UnroutableError } from "../../../src/errors/sending.ts";
import { ClosedError } from "../../../src/errors/transport.ts";
import type { Scope, Unit } from "../../../src/spi/store.ts";
import type { Delivery, Enlistment, Transport } from "../../../src/spi/transport.ts";
import type { SqliteStore } from "../../../stores/sqlite/store.ts";
import type { SqliteTransaction } from "../../../stores/sqlite/mod.ts";
import { sqliteTransport } from "../../../transports/sqlite/mod.ts";
import { changes } from "../../conformance/store/trial.ts";
import type { Inbox } from "../../conformance/transport/inbox.ts";
import { topology } from "../../conformance/transport/trial.ts";
import { openNative } from "../../stores/sqlite/native.ts";
import { test } from "../../support/runner.ts";
import { quiet, type Rig, withRig } from "./rig.ts";

const { signal } = new AbortController();

/** A transport given its store, a message that came, and the unit of its handler. */
interface Handling {
  readonly rig: Rig;
  readonly store: SqliteStore;
  readonly transport: Transport;
  readonly inbox: Inbox;
  readonly delivery: Delivery;
  readonly unit: Unit<SqliteTransaction>;
  readonly enlistment: Enlistment;
}

function begin(store: SqliteStore, id: string, scope: Partial<Scope> = {}): Promise<Unit<SqliteTransaction>> {
  const inbox = [{ endpoint: "in", messageId: id, keepUntil: 8e15 }];
  return store.begin({ bus: "orders", partition: id, inbox, signal, ...scope });
}

function handling(run: (handling: Handling) => Promise<void>): Promise<void> {
  return withRig({ deploy: ["in", "out"] }, async (rig) => {
    const store = await rig.store();
    await store.deploy("apply");
    await openNative(rig.path, (database) => database.exec("CREATE TABLE own (text TEXT)"));
    const transport = await rig.open(sqliteTransport(store, quiet));
    const inbox = await rig.receive(transport, "in", { credit: 1 });
    await rig.send(transport, "queue:in", { text: "a" });
    await rig.clock.pass(0);
    const { only: delivery } = inbox;
    const unit = await begin(store, "a");
    const enlistment = transport.enlist?.(unit.tx, inbox.receiver);
    assertExists(enlistment);
    await run({ rig, store, transport, inbox, delivery, unit, enlistment });
  });
}

/** What any other program sees in the file. */
function seen({ path }: Rig): Promise<Readonly<Record<string, number>>> {
  return openNative(path, (database) => {
    const count = (sql: string): number => Number(database.prepare(`SELECT count(*) AS n FROM ${sql}`).get()?.["n"]);
    return {
      in: count(`hero_queue_messages WHERE via = 'queue:in'`),
      out: count(`hero_queue_messages WHERE via = 'queue:out'`),
      own: count("own"),
      inbox: count("hero_inbox"),
    };
  });
}

test("receiving, a handler's writes, its inbox record and what it sends become true in one commit", () =>
  handling(async ({ rig, unit, enlistment, delivery, transport, inbox }) => {
    await unit.tx.run("INSERT INTO own VALUES ('a')");
    const { outgoing, settled } = rig.outgoing("queue:out", { text: "b", mandatory: true });
    await enlistment.send([outgoing]);
    assertEquals(await settled, undefined);
    await enlistment.settle([{ delivery, outcome: "accept" }]);
    assertEquals(await seen(rig), { in: 1, out: 0, own: 0, inbox: 0 });
    await unit.commit(changes({}));
    assertEquals(await seen(rig), { in: 0, out: 1, own: 1, inbox: 1 });
    await inbox.receiver.settle([{ delivery, outcome: "release" }]); // which is settled already
    const out = await rig.receive(transport, "out");
    await rig.clock.pass(100);
    assertEquals([inbox.received.length, out.texts], [1, ["b"]]);
  }));

test("a handler that writes nothing of its own opens no transaction for what it sends and settles", () =>
  handling(async ({ rig, unit, enlistment, delivery }) => {
    await enlistment.send([rig.outgoing("queue:out").outgoing]);
    await enlistment.settle([{ delivery, outcome: "accept" }]);
    assertEquals(unit.heldSince, undefined);
    await unit.commit(changes({}));
    assertEquals(await seen(rig), { in: 0, out: 1, own: 0, inbox: 1 });
  }));

test("a unit that is rolled back sends nothing, and its message is unsettled as before", () =>
  handling(async ({ rig, unit, enlistment, delivery, inbox }) => {
    await unit.tx.run("INSERT INTO own VALUES ('a')");
    await enlistment.send([rig.outgoing("queue:out").outgoing]);
    await enlistment.settle([{ delivery, outcome: "accept" }]);
    await unit.rollback();
    assertEquals(await seen(rig), { in: 1, out: 0, own: 0, inbox: 0 });
    await inbox.settle({ outcome: "release" });
    await rig.clock.pass(100);
    assertEquals(inbox.texts, ["a", "a"]);
    await inbox.accept();
  }));

test("who has lost a message commits nothing, neither its own writes nor what it sends", () =>
  handling(async ({ rig, unit, enlistment, delivery, inbox }) => {
    await unit.tx.run("INSERT INTO own VALUES ('a')");
    await enlistment.send([rig.outgoing("queue:out").outgoing]);
    await rig.clock.pass(600_000); // for as long as the source says that it may be held
    assertEquals(inbox.lostDeliveries, [delivery]);
    await assertRejects(() => enlistment.settle([{ delivery, outcome: "accept" }]), ClaimLostError);
    await unit.rollback();
    assertEquals(await seen(rig), { in: 1, out: 0, own: 0, inbox: 0 });
  }));

test("a lease that ends between settling and the commit makes the commit fail", () =>
  handling(async ({ rig, unit, enlistment, delivery, inbox }) => {
    await enlistment.send([rig.outgoing("queue:out").outgoing]);
    await enlistment.settle([{ delivery, outcome: "accept" }]);
    await openNative(
      rig.path,
      (database) => database.exec("UPDATE hero_queue_messages SET deliveries = deliveries + 1, at = 0 WHERE state = 4"),
    );
    await assertRejects(() => unit.commit(changes({})), ClaimLostError);
    assertEquals(inbox.lostDeliveries, [delivery]); // told at once
    assertEquals(await seen(rig), { in: 1, out: 0, own: 0, inbox: 0 });
    await rig.clock.pass(20_000);
    assertEquals([inbox.lostDeliveries.length, inbox.texts], [1, ["a", "a"]]);
    await inbox.accept();
  }));

test("units that commit together stand and fall alone: one that has lost its message takes no other with it", () =>
  withRig({ deploy: ["in", "out"] }, async (rig) => {
    const store = await rig.store();
    await store.deploy("apply");
    const transport = await rig.open(sqliteTransport(store, quiet));
    const inbox = await rig.receive(transport, "in");
    await rig.send(transport, "queue:in", ...["a", "b", "c"].map((text) => ({ text })));
    await rig.clock.pass(0);
    const units = await Promise.all(inbox.unsettled.map(async (delivery, at) => {
      const unit = await begin(store, String(at));
      const enlistment = transport.enlist?.(unit.tx, inbox.receiver);
      await enlistment?.send([rig.outgoing("queue:out", { text: String(at) }).outgoing]);
      await enlistment?.settle([{ delivery, outcome: "accept" }]);
      return unit;
    }));
    await openNative(
      rig.path,
      (database) =>
        database.exec("UPDATE hero_queue_messages SET deliveries = 9, at = 0 WHERE state = 4 AND place = 2"),
    );
    const results = await Promise.allSettled(units.map((unit) => unit.commit(changes({}))));
    assertEquals(results.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
    const out = await rig.receive(transport, "out");
    await rig.clock.pass(0);
    assertEquals(out.texts, ["0", "2"]);
  }));

test("what cannot be sent is told at once, and the rest of the unit goes on", () =>
  handling(async ({ rig, unit, enlistment, delivery }) => {
    const lost = rig.outgoing("queue:missing", { mandatory: true });
    const sent = rig.outgoing("queue:out", { mandatory: true });
    await enlistment.send([lost.outgoing, sent.outgoing]);
    await assertRejects(() => lost.settled, UnroutableError);
    await sent.settled;
    await enlistment.settle([{ delivery, outcome: "accept" }]);
    await unit.commit(changes({}));
    assertEquals(await seen(rig), { in: 0, out: 1, own: 0, inbox: 1 });
  }));

test("a queue that goes away between sending and the commit makes the commit fail where the message is mandatory", () =>
  handling(async ({ rig, unit, enlistment, delivery, inbox }) => {
    await enlistment.send([rig.outgoing("queue:out", { mandatory: true }).outgoing]);
    await enlistment.settle([{ delivery, outcome: "accept" }]);
    await openNative(rig.path, (database) => {
      database.exec("DELETE FROM hero_queue_queues WHERE name = 'out'; UPDATE hero_queue_version SET version = 7");
    });
    await assertRejects(() => unit.commit(changes({})), UnroutableError);
    assertEquals(await seen(rig), { in: 1, out: 0, own: 0, inbox: 0 });
    await inbox.accept([delivery]); // it is still held
  }));

test("a commit that is to move a message to nowhere fails", () =>
  handling(async ({ rig, unit, enlistment, delivery, inbox }) => {
    await unit.tx.run("INSERT INTO own VALUES ('a')");
    await enlistment.settle([{ delivery, outcome: "move", to: "queue:missing", headers: {} }]);
    await assertRejects(() => unit.commit(changes({})), UnroutableError);
    assertEquals(await seen(rig), { in: 1, out: 0, own: 0, inbox: 0 });
    await inbox.accept([delivery]);
  }));

test("a topic that a handler learns of while its transaction has the file's writer is not waited for, and is there then", () =>
  handling(async ({ rig, unit, enlistment, delivery, transport, inbox }) => {
    const topics = () =>
      openNative(
        rig.path,
        (database) => database.prepare("SELECT name FROM hero_queue_topics").all().map(({ name }) => name),
      );
    await unit.tx.run("INSERT INTO own VALUES ('a')"); // from here on nobody else writes
    const { topics: entities, bindings } = topology([], { new: ["out"] });
    const deployed = await transport.deploy({ queues: [], topics: entities, bindings }, "apply");
    assertEquals(deployed.map(({ entity }) => entity), ["topic:new", "topic:new -> queue:out"]);
    await enlistment.send([rig.outgoing("topic:new", { mandatory: true }).outgoing]);
    await enlistment.settle([{ delivery, outcome: "accept" }]);
    assertEquals(await topics(), []);
    await unit.commit(changes({}));
    const out = await rig.receive(transport, "out");
    await rig.clock.pass(0);
    assertEquals(out.received.length, 1);
    await out.accept();
    assertEquals(await topics(), ["new"]);
    // By now the file alone says where it leads.
    await openNative(rig.path, (database) => {
      database.exec("DELETE FROM hero_queue_bindings; UPDATE hero_queue_version SET version = 7");
    });
    await assertRejects(() => rig.send(transport, "topic:new", { mandatory: true }), UnroutableError);
    await inbox.accept();
  }));

test("each outcome can be part of a commit", () =>
  handling(async ({ rig, unit, enlistment, delivery, transport }) => {
    const out = await rig.receive(transport, "out");
    await rig.clock.pass(0);
    await enlistment.settle([{ delivery, outcome: "move", to: "queue:out", headers: { why: "so" } }]);
    await unit.commit(changes({}));
    await rig.clock.pass(0); // who waits there is told
    assertEquals([out.texts, out.only.frame.headers["why"]], [["a"], "so"]);
    await out.accept();
  }));

test("transactions of other stores, and receivers of other transports, are not joined", () =>
  handling(async ({ rig, unit, transport, inbox }) => {
    const byPath = await rig.connect(); // on the same file, but not given the store
    const other = await rig.store();
    const foreign = await begin(other, "b");
    assertEquals(byPath.enlist?.(unit.tx, undefined), undefined);
    assertEquals(transport.enlist?.(foreign.tx, inbox.receiver), undefined);
    assertEquals(transport.enlist?.({}, undefined), undefined);
    assertEquals(transport.enlist?.(unit.tx, (await rig.receive(byPath, "out")).receiver), undefined);
    assert(transport.enlist?.(unit.tx, undefined) !== undefined);
    await foreign.rollback();
  }));

test("a transport closes while a unit is open: the unit can commit nothing, and the message comes to another", () =>
  handling(async ({ rig, unit, enlistment, delivery, transport, inbox }) => {
    await unit.tx.run("INSERT INTO own VALUES ('a')");
    await enlistment.settle([{ delivery, outcome: "accept" }]);
    const closed = transport.close(rig.clock.now());
    await rig.clock.pass(0);
    await assertRejects(() => unit.commit(changes({})));
    await closed;
    assertEquals((await seen(rig))["own"], 0);
    inbox.closed("close");
    const next = await rig.receive(await rig.connect(), "in");
    await rig.clock.pass(20_000);
    assertEquals(next.texts, ["a"]);
    await assertRejects(() => transport.receive({ ...source, queue: "in" }, inbox), ClosedError);
  }));

const source = { topics: [], lifetime: "durable", credit: 1, ordered: false, holdMs: 1, extensions: [] } as const;
