import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ConfigurationError, InvalidNameError, UnsupportedError } from "../../../src/errors/configuration.ts";
import { BackpressureError } from "../../../src/errors/sending.ts";
import { TopologyError } from "../../../src/errors/transport.ts";
import { loadClient } from "../../../stores/postgres/client.ts";
import { postgres } from "../../../stores/postgres/mod.ts";
import type { SqlSession } from "../../../stores/postgres/sql_client.ts";
import { PostgresStore } from "../../../stores/postgres/store.ts";
import { postgresTransport } from "../../../transports/postgres/mod.ts";
import { transact } from "../../../transports/postgres/transacting.ts";
import { frame, topology } from "../../conformance/transport/trial.ts";
import { test } from "../../support/runner.ts";
import { deaf, onQueues } from "./rig.ts";

const url = "postgres://nobody@127.0.0.1:1/nothing";

test("PostgreSQL transport: what cannot work is refused where it is written", () => {
  for (const prefix of ["1", `a"; DROP TABLE x; --`]) {
    assertThrows(() => postgresTransport({ url, prefix }), InvalidNameError);
  }
  assertThrows(() => postgresTransport({ url, prefix: "a".repeat(25) }), InvalidNameError, "24 characters at most");
  postgresTransport({ url, prefix: "a".repeat(24) });
  assertThrows(() => postgresTransport({ url, schema: `a"b` }), InvalidNameError);
  assertThrows(() => postgresTransport("mysql://localhost"), ConfigurationError);
  for (const where of [undefined, null, 5] as never[]) {
    assertThrows(() => postgresTransport(where), ConfigurationError, `${where} is no place for its tables`);
    assertThrows(() => postgres(where), ConfigurationError, `${where} as the options of postgres()`);
  }
  // As a pool of npm:pg has it.
  const pool = Object.assign(Object.create({ connect: () => {}, query: () => {}, end: () => {} }), { _events: {} });
  const lacks = "it lacks max, join, defer, close. Give a SqlClient";
  for (const client of [pool, null, url] as never[]) {
    assertThrows(() => postgres({ client }), ConfigurationError, "Cannot use this { client } of postgres()");
    assertThrows(() => postgresTransport({ client }), ConfigurationError, "Cannot use this { client } of postgres()");
  }
  assertThrows(() => postgres({ client: pool }), ConfigurationError, lacks);
  for (const use of [postgres, postgresTransport]) {
    assertThrows(() => use(pool), ConfigurationError, "it is a client of a driver");
  }
  const connection = url as never;
  assertThrows(() => postgres({ connection }), ConfigurationError, "as the { connection } of postgres()");
  assertThrows(() => postgres({ connectionString: url } as never), ConfigurationError, "Write { url }");
  assertThrows(() => postgresTransport(url, { lease: 10 }), ConfigurationError);
  assertThrows(() => postgresTransport(url, { pollInterval: 0 }), ConfigurationError);
  assertThrows(() => postgresTransport(url, { maxUnsent: 0.5 }), ConfigurationError);
  const store = postgres(url);
  assertThrows(() => postgresTransport({ ...store, begin: store.begin }), ConfigurationError); // made by hand
});

onQueues("a plan for a schema without tables names the tables and all that is missing", undefined, async (rig) => {
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
  const extensions = [{ transport: "rabbitmq", value: {} }];
  const deploy = () => transport.deploy({ queues: [{ name: "r", extensions }], topics: [], bindings: [] }, "apply");
  await assertRejects(deploy, UnsupportedError);
  await assertRejects(() => rig.receive(transport, "q", { extensions }), UnsupportedError);
});

onQueues(
  "what is amiss with its database is not told of a store, which a transport may have none of",
  [],
  async (rig) => {
    const { bench: { url, schema }, clock } = rig;
    const host = { bus: "orders", clock, signal: new AbortController().signal, status: () => {} };
    const nowhere = postgresTransport({ url: url.replace(/[^/]*$/, "there_is_none"), schema });
    const error = await assertRejects(
      () => nowhere.open(host),
      ConfigurationError,
      `there_is_none": the server has no such database`,
    );
    await nowhere.close(clock.now());
    const client = await assertRejects(
      () => loadClient(() => Promise.reject(new TypeError("not found"))),
      ConfigurationError,
      "Cannot use PostgreSQL: its client",
    );
    for (const { message } of [error, client]) assert(!message.includes("store"), message);
  },
);

onQueues("ten that deploy at once make the tables and queues once", undefined, async (rig) => {
  const transports = await Promise.all(Array.from({ length: 10 }, () => rig.connect({}, { max: 1, listen: false })));
  const wanted = topology(["q", "r"], { t: ["q"], u: ["r", "q"] });
  const applied = await Promise.all(transports.map((transport) => transport.deploy(wanted, "apply")));
  assertEquals(applied.filter((changes) => changes.length > 0).length, 1);
  assertEquals(await transports[3]!.deploy(wanted, "check"), []);
});

/** What an attacker would like to run, and what no text of JSON or of PostgreSQL may hold. */
const hostile = [`'; DROP TABLE hero_queue_messages; --`, `"x"`, `$1 \\ {},"a"`, `\0\x1a`, `\\x00`, "😀ключ", "null"];

onQueues("no name, key, id, header or type of content is read as a part of a statement", hostile, async (rig) => {
  const transport = await rig.connect();
  await transport.deploy(topology(hostile, Object.fromEntries(hostile.map((name) => [name, [name]]))), "apply");
  for (const [at, name] of hostile.entries()) {
    const inbox = await rig.receive(transport, name, { ordered: at % 2 === 0 });
    const headers = Object.fromEntries(hostile.map((each) => [each, each]));
    const sent = { contentType: name, headers, body: new TextEncoder().encode(name) };
    await rig.send(transport, `topic:${name}`, { key: name, messageId: `${at} ${name}`, frame: sent, mandatory: true });
    await rig.came(inbox, 1);
    const { key, via, frame: { contentType, headers: arrived, body } } = inbox.only;
    assertEquals([key, via, contentType, new TextDecoder().decode(body)], [name, `topic:${name}`, name, name]);
    assertEquals(arrived, headers);
    await inbox.settle({ outcome: "again", dueAt: 0, headers: { [name]: "again" } });
    await rig.came(inbox, 2);
    await inbox.settle({ outcome: "move", to: `queue:${name}`, headers: { [name]: name } });
    await rig.came(inbox, 3);
    assertEquals([inbox.only.key, inbox.only.frame.headers], [name, headers]);
    assertEquals((await transport.admin?.browse(name, undefined, 10))?.items, []);
    await inbox.accept();
    await inbox.stop();
    const own = await rig.receive(transport, `own ${name}`, { lifetime: "instance", topics: [name] });
    await rig.send(transport, `topic:${name}`, {});
    await rig.came(own, 1);
    await own.accept();
    await own.stop();
    assertEquals(await transport.admin?.purge(name), 1);
  }
});

onQueues("a message for a receiver that waits is leased by the commit that writes it", ["q"], async (rig) => {
  const transport = await rig.connect(deaf, { listen: false });
  const inbox = await rig.receive(transport, "q", { credit: 2 });
  await rig.hungry(inbox);
  await rig.send(transport, "queue:q", { text: "a" }, { text: "b" }, { text: "c" });
  assertEquals(inbox.texts, ["a", "b"]); // told before the sender was
  const states = "SELECT deliveries, leased_until > 0 AS leased FROM hero_queue_messages ORDER BY place";
  const [leased, waiting] = [{ deliveries: 1, leased: true }, { deliveries: 0, leased: false }];
  assertEquals([...await rig.select(states)], [leased, leased, waiting]);
  await inbox.accept();
  await rig.came(inbox, 3);
  assertEquals(inbox.texts, ["a", "b", "c"]);
  assertEquals(inbox.received.map(({ deliveryCount, via }) => [deliveryCount, via]).at(0), [1, "queue:q"]);
  await inbox.accept();
  assertEquals([...await rig.select(states)], []);
});

onQueues("above its bound senders are asked to wait, and from twice that on refused", ["q"], async (rig) => {
  const transport = await rig.connect({ maxUnsent: 10 });
  const made = Array.from({ length: 25 }, (_, at) => rig.outgoing("queue:q", { text: String(at) }));
  const room = transport.send(made.map(({ outgoing }) => outgoing));
  assert(room !== undefined);
  await room;
  await Promise.all(made.slice(0, 20).map(({ settled }) => settled));
  for (const { settled } of made.slice(20)) await assertRejects(() => settled, BackpressureError);
  assertEquals(transport.send([rig.outgoing("queue:q").outgoing]), undefined);
});

onQueues("what is much goes in several flights: of a thousand messages at most, or of 16 MiB", ["q"], async (rig) => {
  const transport = await rig.connect(deaf);
  const flights = async (): Promise<number> => {
    const [row] = await rig.select("SELECT count(DISTINCT xmin::text)::int AS n FROM hero_queue_messages");
    await rig.select("DELETE FROM hero_queue_messages");
    return Number(row?.["n"]);
  };
  await rig.send(transport, "queue:q", ...Array.from({ length: 2_001 }, () => ({})));
  assertEquals(await flights(), 3);
  const body = new Uint8Array(2 ** 23);
  const large = { frame: { contentType: "a/b", headers: {}, body } };
  await rig.send(transport, "queue:q", large, large, large);
  assertEquals(await flights(), 2);
});

onQueues(
  "what is sent while the database takes nothing waits until it does, and health says so",
  ["q"],
  async (rig) => {
    const transport = await rig.connect(deaf);
    // It cannot now, as while it starts; or somebody else was first.
    for (const [at, code] of ["57P03", "40001"].entries()) {
      await rig.select(
        "CREATE OR REPLACE FUNCTION hero_refuse() RETURNS trigger LANGUAGE plpgsql AS " +
          `$$ BEGIN RAISE 'not now' USING ERRCODE = '${code}'; END $$`,
      );
      await rig.select(
        "CREATE TRIGGER refuse BEFORE INSERT ON hero_queue_messages FOR EACH ROW EXECUTE FUNCTION hero_refuse()",
      );
      const sent = rig.send(transport, "queue:q", {});
      await rig.until("it to say so", () => rig.states.at(-1) === "degraded");
      await rig.select("DROP TRIGGER refuse ON hero_queue_messages");
      await sent;
      assertEquals([rig.states.at(-1), (await rig.select("SELECT FROM hero_queue_messages")).length], ["up", at + 1]);
    }
  },
);

onQueues("what could not be sent keeps no room of a receiver", ["q"], async (rig) => {
  const transport = await rig.connect(deaf);
  const inbox = await rig.receive(transport, "q", { credit: 1 });
  await rig.hungry(inbox);
  await rig.select("ALTER TABLE hero_queue_messages ADD CONSTRAINT refuse CHECK (via <> 'queue:q')");
  await assertRejects(() => rig.send(transport, "queue:q", { text: "lost" }));
  await rig.select("ALTER TABLE hero_queue_messages DROP CONSTRAINT refuse");
  await rig.send(transport, "queue:q", { text: "next" });
  assertEquals(inbox.texts, ["next"]);
  await inbox.accept();
});

onQueues("a transaction that fails leaves its connection to nobody", [], async (rig) => {
  const store = await rig.store({ listen: false, max: 1 });
  assert(store instanceof PostgresStore);
  const { session: { database } } = store;
  await rig.select("CREATE TABLE hero_own (text text)");
  const write = (text: string) => (session: SqlSession) =>
    session.query(`INSERT INTO "${rig.bench.schema}".hero_own VALUES ('${text}')`);
  await assertRejects(
    () =>
      transact(database, async (session) => {
        await write("undone")(session);
        throw new Error("not now");
      }),
    Error,
    "not now",
  );
  await transact(database, write("done"));
  assertEquals((await rig.select("SELECT text FROM hero_own")).map(({ text }) => text), ["done"]);
});

onQueues("what is no body is refused alone, and keeps no room of a receiver", ["q"], async (rig) => {
  const transport = await rig.connect();
  const inbox = await rig.receive(transport, "q", { credit: 1 });
  const body = Symbol("no bytes") as unknown as Uint8Array; // from JavaScript
  const bad = rig.outgoing("queue:q", { frame: { contentType: "a/b", headers: {}, body } });
  await transport.send([bad.outgoing]);
  await assertRejects(() => bad.settled);
  await rig.send(transport, "queue:q", { text: "next" });
  await rig.came(inbox, 1);
  assertEquals(inbox.texts, ["next"]);
  await inbox.accept();
});

onQueues("a row that cannot be read comes as unreadable, and can be moved away", ["q", "errors"], async (rig) => {
  const transport = await rig.connect();
  await rig.send(transport, "queue:q", { frame: frame("body", { a: 1 }) });
  await rig.select("UPDATE hero_queue_messages SET headers = '{'");
  const inbox = await rig.receive(transport, "q");
  await rig.came(inbox, 1);
  assert(inbox.only.unreadable instanceof Error);
  assertEquals(inbox.texts, ["body"]);
  await inbox.settle({ outcome: "move", to: "queue:errors", headers: { reason: "damaged" } });
  const errors = await rig.receive(transport, "errors");
  await rig.came(errors, 1);
  assertEquals([errors.texts, errors.only.frame.headers], [["body"], { reason: "damaged" }]);
  await errors.accept();
});

onQueues(
  "what is due later in a topic waits for a queue where it is mandatory",
  topology(["q"], { t: ["q"] }),
  async (rig) => {
    const transport = await rig.connect();
    const inbox = await rig.receive(transport, "q");
    const dueAt = rig.clock.now() + 3_600_000;
    await rig.send(transport, "topic:t", { text: "command", mandatory: true, dueAt }, { text: "event", dueAt });
    // Together, so that nobody finds one without the other.
    await rig.select(
      "DELETE FROM hero_queue_routes; DELETE FROM hero_queue_bindings; UPDATE hero_queue_messages SET due_at = 1",
    );
    const rows = () => rig.select("SELECT due_at FROM hero_queue_messages");
    await rig.until("the event to go", async () => (await rows()).length === 1);
    assertEquals(inbox.received.length, 0);
    await transport.deploy(topology(["q"], { t: ["q"] }), "apply");
    await rig.select("UPDATE hero_queue_messages SET due_at = 1"); // a minute later
    await rig.came(inbox, 1);
    assertEquals(inbox.texts, ["command"]);
    await inbox.accept();
  },
);

onQueues("a store that a transport was given stays open when the transport closes", undefined, async (rig) => {
  const store = await rig.store();
  const transport = await rig.open(postgresTransport(store, deaf));
  await transport.close(rig.clock.now());
  assertEquals(await store.deploy("check"), []);
  assertEquals(await store.outbox.stats("orders"), { waiting: 0, parked: 0, oldest: undefined });
});
