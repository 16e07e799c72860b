import { assert, assertEquals, assertExists, assertRejects } from "@std/assert";
import type { TransactionSql } from "postgres";
import { ClaimLostError } from "../../../src/errors/receiving.ts";
import { UnroutableError } from "../../../src/errors/sending.ts";
import type { JoinableStore, Scope, Unit } from "../../../src/spi/store.ts";
import type { Delivery, Enlistment, Transport } from "../../../src/spi/transport.ts";
import { postgresTransport } from "../../../transports/postgres/mod.ts";
import { changes } from "../../conformance/store/trial.ts";
import type { Inbox } from "../../conformance/transport/inbox.ts";
import { deaf, onQueues, type Rig } from "./rig.ts";

const { signal } = new AbortController();

/** A transport given its store, a message that came, and the unit of its handler. */
interface Handling {
  readonly rig: Rig;
  readonly store: JoinableStore<TransactionSql>;
  readonly transport: Transport;
  readonly inbox: Inbox;
  readonly delivery: Delivery;
  readonly unit: Unit<TransactionSql>;
  readonly enlistment: Enlistment;
  own(): Promise<void>;
}

function begin(store: JoinableStore<TransactionSql>, id: string, scope: Partial<Scope> = {}) {
  const inbox = [{ endpoint: "in", messageId: id, keepUntil: 8e15 }];
  return store.begin({ bus: "orders", partition: id, inbox, signal, ...scope });
}

function handling(name: string, run: (handling: Handling) => Promise<void>): void {
  handlingOf(name, "k", run);
}

/** With a key, and without, where what is sent and what is accepted are one statement. */
function handlingBoth(name: string, run: (handling: Handling) => Promise<void>): void {
  handlingOf(name, "k", run);
  handlingOf(`${name}, without keys`, undefined, run);
}

function handlingOf(name: string, key: string | undefined, run: (handling: Handling) => Promise<void>): void {
  onQueues(name, ["in", "out"], async (rig) => {
    const store = await rig.store({ listen: false });
    await rig.select("CREATE TABLE hero_own (text text)");
    const transport = await rig.open(postgresTransport(store, { lease: "2s", ...deaf }));
    const inbox = await rig.receive(transport, "in", { credit: 1, holdMs: 60_000 });
    await rig.send(transport, "queue:in", { text: "a", ...key === undefined ? {} : { key } });
    await rig.came(inbox, 1);
    const { only: delivery } = inbox;
    const unit = await begin(store, "a");
    const enlistment = transport.enlist?.(unit.tx, inbox.receiver);
    assertExists(enlistment);
    const own = async (): Promise<void> => {
      await unit.tx`INSERT INTO ${unit.tx(`${rig.bench.schema}.hero_own`)} VALUES ('a')`;
    };
    await run({ rig, store, transport, inbox, delivery, unit, enlistment, own });
  });
}

/** What any other program sees. */
async function seen(rig: Rig): Promise<Readonly<Record<string, unknown>>> {
  const count = (from: string): string => `(SELECT count(*)::int FROM ${from})`;
  const [row] = await rig.select(
    `SELECT ${count("hero_queue_messages WHERE via = 'queue:in'")} AS "in", ` +
      `${count("hero_queue_messages WHERE via = 'queue:out'")} AS out, ${count("hero_own")} AS own, ` +
      `${count("hero_inbox")} AS inbox`,
  );
  return { ...row };
}

handling(
  "receiving, a handler's writes, its inbox record and what it sends become true in one commit",
  async ({ rig, unit, enlistment, delivery, transport, inbox, own }) => {
    await own();
    const { outgoing, settled } = rig.outgoing("queue:out", { text: "b", key: "k", mandatory: true });
    await enlistment.send([outgoing]);
    assertEquals(await settled, undefined);
    await enlistment.settle([{ delivery, outcome: "accept" }]);
    assertEquals(await seen(rig), { in: 1, out: 0, own: 0, inbox: 0 });
    await unit.commit(changes({}));
    assertEquals(await seen(rig), { in: 0, out: 1, own: 1, inbox: 1 });
    await inbox.receiver.settle([{ delivery, outcome: "release" }]); // which is settled already
    const out = await rig.receive(transport, "out");
    await rig.came(out, 1);
    assertEquals([inbox.received.length, out.texts], [1, ["b"]]);
    await out.accept();
  },
);

handlingBoth(
  "a handler that writes nothing of its own opens no transaction for what it sends and settles, and hands it over",
  async ({ rig, unit, enlistment, delivery, transport }) => {
    const out = await rig.receive(transport, "out");
    await rig.hungry(out);
    await enlistment.send([rig.outgoing("queue:out", { text: "b" }).outgoing]);
    await enlistment.settle([{ delivery, outcome: "accept" }]);
    assertEquals(unit.heldSince, undefined);
    await unit.commit(changes({}));
    assertEquals(out.texts, ["b"]);
    assertEquals(await seen(rig), { in: 0, out: 1, own: 0, inbox: 1 });
    await out.accept();
  },
);

handlingBoth(
  "a unit that is rolled back sends nothing, and its message is unsettled as before",
  async ({ rig, unit, enlistment, delivery, inbox, own }) => {
    await own();
    await enlistment.send([rig.outgoing("queue:out").outgoing]);
    await enlistment.settle([{ delivery, outcome: "accept" }]);
    await unit.rollback();
    assertEquals(await seen(rig), { in: 1, out: 0, own: 0, inbox: 0 });
    await inbox.settle({ outcome: "release" });
    await rig.came(inbox, 2);
    assertEquals(inbox.texts, ["a", "a"]);
    await inbox.accept();
  },
);

const steal = "UPDATE hero_queue_messages SET deliveries = deliveries + 1, leased_until = 0 WHERE via = 'queue:in'";

handling(
  "who has lost a message commits nothing, neither its own writes nor what it sends",
  async ({ rig, unit, enlistment, delivery, inbox, own }) => {
    await own();
    await enlistment.send([rig.outgoing("queue:out").outgoing]);
    await rig.select(steal);
    await rig.until("the loss", () => inbox.lostDeliveries.length === 1);
    await assertRejects(() => enlistment.settle([{ delivery, outcome: "accept" }]), ClaimLostError);
    await unit.rollback();
    assertEquals(await seen(rig), { in: 1, out: 0, own: 0, inbox: 0 });
    await rig.came(inbox, 2);
    await inbox.accept();
  },
);

handlingBoth(
  "a lease that ends between settling and the commit makes the commit fail",
  async ({ rig, unit, enlistment, delivery, inbox, own }) => {
    await own();
    await enlistment.send([rig.outgoing("queue:out").outgoing]);
    await enlistment.settle([{ delivery, outcome: "accept" }]);
    await rig.select(steal);
    await assertRejects(() => unit.commit(changes({})), ClaimLostError);
    assertEquals(await seen(rig), { in: 1, out: 0, own: 0, inbox: 0 });
    await rig.came(inbox, 2);
    assertEquals([inbox.lostDeliveries.length, inbox.texts], [1, ["a", "a"]]);
    await inbox.accept();
  },
);

handlingBoth(
  "a lease that ends between settling and the commit makes the commit fail, where nothing is sent either",
  async ({ rig, unit, enlistment, delivery, inbox }) => {
    await enlistment.settle([{ delivery, outcome: "accept" }]);
    await rig.select(steal);
    await assertRejects(() => unit.commit(changes({})), ClaimLostError);
    assertEquals(await seen(rig), { in: 1, out: 0, own: 0, inbox: 0 });
    await rig.came(inbox, 2);
    await inbox.accept();
  },
);

handlingBoth(
  "a transport closes while a unit is open: the unit can commit nothing, and the message comes to another",
  async ({ rig, unit, enlistment, delivery, transport, inbox, own }) => {
    await own();
    await enlistment.settle([{ delivery, outcome: "accept" }]);
    await transport.close(rig.clock.now());
    inbox.closed("close");
    await assertRejects(() => unit.commit(changes({})), ClaimLostError);
    assertEquals(await seen(rig), { in: 1, out: 0, own: 0, inbox: 0 });
    const next = await rig.receive(await rig.connect(), "in");
    await rig.came(next, 1);
    assertEquals([next.texts, next.only.deliveryCount], [["a"], 2]);
    await next.accept();
  },
);

handling(
  "a commit makes room for what waits, and one that fails keeps no room of whom its messages were for",
  async ({ rig, store, transport, inbox, unit, enlistment, delivery }) => {
    const out = await rig.receive(transport, "out", { credit: 1 });
    await rig.hungry(out);
    await rig.send(transport, "queue:in", { text: "b" }, { text: "c" });
    inbox.allowed = 3; // it does not see what is settled by commits
    await enlistment.settle([{ delivery, outcome: "accept" }]);
    await unit.commit(changes({}));
    await rig.until("the next", () => inbox.received.length === 2);
    const [, next] = inbox.received;
    assertExists(next);
    const failing = await begin(store, "b");
    const failed = transport.enlist?.(failing.tx, inbox.receiver);
    await failed?.send([rig.outgoing("queue:out", { text: "never" }).outgoing]);
    await failed?.settle([{ delivery: next, outcome: "accept" }]);
    await rig.select("UPDATE hero_queue_messages SET deliveries = deliveries + 1 WHERE leased_until > 0");
    await assertRejects(() => failing.commit(changes({})), ClaimLostError);
    await rig.send(transport, "queue:out", { text: "after" });
    await rig.came(out, 1);
    assertEquals(out.texts, ["after"]);
    await out.accept();
  },
);

handling(
  "what cannot be sent is told at once, and the rest of the unit goes on",
  async ({ rig, unit, enlistment, delivery }) => {
    const lost = rig.outgoing("queue:missing", { mandatory: true });
    const sent = rig.outgoing("queue:out", { mandatory: true });
    await enlistment.send([lost.outgoing, sent.outgoing]);
    await assertRejects(() => lost.settled, UnroutableError);
    await sent.settled;
    await enlistment.settle([{ delivery, outcome: "accept" }]);
    await unit.commit(changes({}));
    assertEquals(await seen(rig), { in: 0, out: 1, own: 0, inbox: 1 });
  },
);

handlingBoth(
  "a queue that goes away between sending and the commit makes the commit fail where the message is mandatory",
  async ({ rig, unit, enlistment, delivery, inbox, own }) => {
    await own();
    await enlistment.send([rig.outgoing("queue:out", { mandatory: true }).outgoing]);
    await enlistment.settle([{ delivery, outcome: "accept" }]);
    await rig.select("DELETE FROM hero_queue_routes WHERE address = 'queue:out'");
    await assertRejects(() => unit.commit(changes({})), UnroutableError);
    assertEquals(await seen(rig), { in: 1, out: 0, own: 0, inbox: 0 });
    await inbox.accept();
  },
);

onQueues("what is sent alone expires, has a priority, and is refused where it is to be taken and nobody is there", [
  "q",
], async (rig) => {
  const transport = await rig.connect(deaf);
  const expiresAt = rig.clock.now() + 3_600_000;
  await rig.send(transport, "queue:q", { text: "low" });
  await rig.send(transport, "queue:q", { text: "high", priority: 7, expiresAt });
  const lost = rig.outgoing("queue:missing", { mandatory: true });
  transport.send([lost.outgoing]);
  await assertRejects(() => lost.settled, UnroutableError);
  const rows = await rig.select(
    "SELECT priority, (extract(epoch FROM expires_at) * 1000)::float8 AS until FROM hero_queue_message_overview ORDER BY place",
  );
  assertEquals(rows.map((row) => [row["priority"], row["until"]]), [[0, null], [7, expiresAt]]);
  const inbox = await rig.receive(transport, "q");
  await rig.came(inbox, 2);
  assertEquals(inbox.texts, ["high", "low"]);
  await inbox.accept();
});

onQueues("a delay beyond a timer's range is kept as it is, and can be taken back (case 19)", ["q"], async (rig) => {
  const transport = await rig.connect(deaf);
  const inbox = await rig.receive(transport, "q");
  const now = rig.clock.now();
  const delays = [2_147_483_647, 2_147_483_648, 4_294_967_295, 4_294_967_296, 15_552_000_000];
  const receipts: string[] = [];
  for (const delay of delays) {
    const { outgoing } = rig.outgoing("queue:q", { text: String(delay), dueAt: now + delay });
    const receipt = await new Promise<string | undefined>((resolve, reject) => {
      const settled = (error?: Error, found?: string) => error === undefined ? resolve(found) : reject(error);
      transport.send([{ ...outgoing, settled }]);
    });
    receipts.push(receipt ?? "");
  }
  await rig.send(transport, "queue:q", { text: "now" });
  await rig.came(inbox, 1);
  assertEquals(inbox.texts, ["now"]);
  const rows = await rig.select(
    "SELECT (extract(epoch FROM due_or_leased_until) * 1000)::float8 AS due FROM hero_queue_message_overview " +
      "WHERE state = 'delayed' ORDER BY place",
  );
  assertEquals(rows.map((row) => row["due"]), delays.map((delay) => now + delay));
  for (const receipt of receipts) assertEquals(await transport.cancel?.(receipt), true);
  await inbox.accept();
});

handling("a message can be moved by a commit, which wakes who waits", async (its) => {
  const { rig, unit, enlistment, delivery, transport } = its;
  const out = await rig.receive(transport, "out");
  await rig.hungry(out);
  await enlistment.settle([{ delivery, outcome: "move", to: "queue:out", headers: { why: "so" } }]);
  await unit.commit(changes({}));
  await rig.came(out, 1);
  assertEquals([out.texts, out.only.frame.headers["why"]], [["a"], "so"]);
  await out.accept();
});

handling(
  "a message can come again later by a commit",
  async ({ rig, unit, enlistment, delivery, inbox }) => {
    const dueAt = rig.clock.now() + 300;
    await enlistment.settle([{ delivery, outcome: "again", dueAt, headers: { n: 1 } }]);
    await unit.commit(changes({}));
    inbox.allowed = 2; // it does not see that the first was settled
    await rig.came(inbox, 2);
    const [, again] = inbox.received;
    assertEquals([inbox.texts, again?.frame.headers, inbox.times[1]! >= dueAt], [["a", "a"], { n: 1 }, true]);
    await inbox.accept();
  },
);

handling(
  "transactions of other stores, and receivers of other transports, are not joined",
  async ({ rig, store, unit, transport, inbox }) => {
    const byUrl = await rig.connect(); // in the same database, but not given the store
    const other = await rig.store();
    const foreign = await begin(other, "b");
    assertEquals(byUrl.enlist?.(unit.tx, undefined), undefined);
    assertEquals(transport.enlist?.(foreign.tx, inbox.receiver), undefined);
    assertEquals(transport.enlist?.({}, undefined), undefined);
    assertEquals(transport.enlist?.(unit.tx, (await rig.receive(byUrl, "out")).receiver), undefined);
    assert(transport.enlist?.(unit.tx, undefined) !== undefined);
    await rig.bench.sql.begin((tx) => {
      const joined = store.join(tx, { bus: "orders", partition: "p", inbox: [], signal });
      assertEquals(transport.enlist?.(joined.tx, undefined), undefined);
    });
    await foreign.rollback();
    await unit.rollback();
    await inbox.accept();
  },
);
