/** What goes on in the background, and what is told of it: leases, queues of receivers that live or not, health. */
import { assert, assertEquals } from "@std/assert";
import { topology } from "../../conformance/transport/trial.ts";
import { LeapingClock } from "../../failure/kill/leaping_clock.ts";
import { deaf, onQueues, type Rig } from "./rig.ts";

/** From now on no message can be taken away; gives what ends that. */
async function refuseToDelete(rig: Rig): Promise<() => Promise<unknown>> {
  await rig.select(
    `CREATE FUNCTION hero_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not now'; END $$`,
  );
  await rig.select(
    `CREATE TRIGGER refuse BEFORE DELETE ON hero_queue_messages FOR EACH ROW EXECUTE FUNCTION hero_refuse()`,
  );
  return () => rig.select("DROP TRIGGER refuse ON hero_queue_messages");
}

onQueues("a lease is renewed for as long as the source says, then lost", ["q"], async (rig) => {
  const transport = await rig.connect({ lease: "1s" });
  const inbox = await rig.receive(transport, "q", { credit: 1, holdMs: 3_000 });
  await rig.send(transport, "queue:q", { text: "held" });
  await rig.came(inbox, 2);
  assertEquals([inbox.received.length, inbox.lostDeliveries.length, inbox.only.deliveryCount], [2, 1, 2]);
  const [first = 0, second = 0] = inbox.times;
  assert(second - first >= 3_000, `It came again after ${second - first} ms`);
  await inbox.accept();
});

onQueues(
  "a settlement that cannot be written is tried again until it is, and health says so meanwhile",
  ["q"],
  async (rig) => {
    const transport = await rig.connect();
    const inbox = await rig.receive(transport, "q");
    await rig.send(transport, "queue:q", { text: "a" });
    await rig.came(inbox, 1);
    const allow = await refuseToDelete(rig);
    const accepted = inbox.accept();
    await rig.until("it to say so", () => rig.states.includes("degraded"));
    await allow();
    await accepted;
    await rig.until("it to be well", () => rig.states.at(-1) === "up");
    assertEquals(await transport.admin?.count("q"), { waiting: 0, active: 0, delayed: 0 });
  },
);

onQueues("who waits for a settlement that cannot be written hears when the transport closes", ["q"], async (rig) => {
  const transport = await rig.connect();
  const inbox = await rig.receive(transport, "q");
  await rig.send(transport, "queue:q", { text: "a" });
  await rig.came(inbox, 1);
  const allow = await refuseToDelete(rig);
  const settled = inbox.receiver.settle(inbox.unsettled.map((delivery) => ({ delivery, outcome: "accept" })));
  await rig.until("it to say so", () => rig.states.includes("degraded"));
  await transport.close(rig.clock.now());
  inbox.closed("close");
  await settled;
  await allow();
  assertEquals((await rig.select("SELECT FROM hero_queue_messages")).length, 1);
});

onQueues(
  "a receiver that stood still for so long that its queue was taken away makes it anew, and says so",
  topology([], { t: [] }),
  async (rig) => {
    const transport = await rig.connect({ lease: "1s" });
    const inbox = await rig.receive(transport, "mine", { lifetime: "instance", topics: ["t"], credit: 1 });
    await rig.send(transport, "topic:t", { text: "held" });
    await rig.came(inbox, 1);
    await rig.select("DELETE FROM hero_queue_queues");
    await rig.select("DELETE FROM hero_queue_bindings");
    await rig.select("DELETE FROM hero_queue_routes");
    await rig.until("a new queue", () => inbox.readdresses === 1);
    assertEquals(inbox.lostDeliveries.length, 1); // what it held was of the old one
    await rig.send(transport, "topic:t", { text: "a" });
    await rig.came(inbox, 2);
    await inbox.accept();
    await inbox.stop();
    assertEquals((await rig.select("SELECT * FROM hero_queue_queues")).length, 0);
  },
);

/** What would be found only after a while is found soon: time is real, waits in the background are short. */
function hasty({ clock }: Rig): Rig["clock"] {
  return { ...clock, background: { now: () => clock.now(), at: (_, run) => clock.at(clock.now() + 50, run) } };
}

onQueues(
  "what expires where nobody takes is dropped, and so is what a receiver had that died, and what came too late for it",
  topology(["q"], { t: [] }),
  async (rig) => {
    const transport = await rig.connect({}, {}, hasty(rig));
    await rig.send(transport, "queue:q", { expiresAt: rig.clock.now() - 1 }, { text: "stays" });
    // Together, so that nobody finds one without the other.
    await rig.select(
      "INSERT INTO hero_queue_queues (name, lifetime, ordered, until) VALUES ('dead', 'instance', false, 1); " +
        "INSERT INTO hero_queue_bindings VALUES ('t', 'queue:dead'); " +
        "INSERT INTO hero_queue_routes SELECT 'topic:t', id, 'topic:t' FROM hero_queue_queues WHERE until = 1; " +
        "INSERT INTO hero_queue_messages SELECT -n, 999, 0, 0, NULL, 0, 0, 0, CASE WHEN n = 1 THEN 3 ELSE 2 END, false, " +
        "false, NULL, 'm', 'queue:gone', 't', '[]', '' FROM generate_series(1, 3) n; " +
        "INSERT INTO hero_queue_messages SELECT -9, id, 0, 0, NULL, 0, 0, 0, 2, false, false, NULL, 'm', 'topic:t', 't', " +
        "'[]', '' FROM hero_queue_queues WHERE until = 1",
    );
    await rig.until("all that to go", async () => {
      const [row] = await rig.select(
        "SELECT (SELECT count(*) FROM hero_queue_messages)::int AS m, (SELECT count(*) FROM hero_queue_queues)::int AS q, " +
          "(SELECT count(*) FROM hero_queue_bindings)::int AS b, (SELECT count(*) FROM hero_queue_routes)::int AS r",
      );
      return Object.values(row ?? {}).join() === "1,1,0,1";
    });
  },
);

onQueues(
  "a look for what has expired that fails is told of, and so is that it works again, with nobody receiving",
  ["q"],
  async (rig) => {
    const transport = await rig.connect({}, { listen: false }, hasty(rig));
    const allow = await refuseToDelete(rig);
    await rig.send(transport, "queue:q", { expiresAt: rig.clock.now() - 1 });
    await rig.until("it to say so", () => rig.states.at(-1) === "degraded");
    await allow();
    await rig.until("it to be well", () => rig.states.at(-1) === "up");
  },
);

onQueues("the queue of a receiver that lives is kept, however long", topology([], { t: [] }), async (rig) => {
  const transport = await rig.connect({}, { listen: false }, hasty(rig));
  const inbox = await rig.receive(transport, "mine", { lifetime: "instance", topics: ["t"] });
  const until = async (): Promise<number> =>
    Number((await rig.select("SELECT until FROM hero_queue_queues"))[0]?.["until"]);
  const first = await until();
  await rig.until("it to be kept for longer", async () => await until() >= first + 500);
  assertEquals(inbox.readdresses, 0);
});

onQueues("what comes to a receiver that has stopped is given back before the transport closes", ["q"], async (rig) => {
  const states = "SELECT state FROM hero_queue_message_overview ORDER BY place";
  const claiming = await rig.connect(deaf);
  await rig.send(claiming, "queue:q", { text: "claimed" });
  await (await rig.receive(claiming, "q")).receiver.stop(); // its first claim is on its way
  await claiming.close(rig.clock.now() + 30_000);
  assertEquals([...await rig.select(states)], [{ state: "waiting" }]);
  await rig.bench.sql.unsafe(`DELETE FROM "${rig.bench.schema}".hero_queue_messages`);

  const sending = await rig.connect(deaf);
  const inbox = await rig.receive(sending, "q");
  await rig.hungry(inbox);
  const sent = rig.send(sending, "queue:q", { text: "handed" }); // is leased to the receiver by its commit
  await inbox.receiver.stop();
  await sending.close(rig.clock.now() + 30_000);
  await sent;
  assertEquals([...await rig.select(states)], [{ state: "waiting" }]);
});

onQueues("a lease lasts 30 s, and a look is half a second away, unless it is told otherwise", ["q"], async (rig) => {
  const waits: number[] = [];
  const { clock } = rig;
  const background = {
    now: () => clock.now(),
    at: (time: number, run: () => void) => {
      waits.push(Math.round((time - clock.now()) / 50) * 50);
      return clock.at(time, run);
    },
  };
  const transport = await rig.connect({}, { listen: false }, { ...clock, background });
  const inbox = await rig.receive(transport, "q");
  await rig.hungry(inbox);
  await rig.until("it to wait for its next look", () => waits.includes(500));
  assertEquals(waits.filter((ms) => ms > 500 && ms < 3_000), []); // all else is what is done now and then
  await rig.send(transport, "queue:q", {});
  const [row] = await rig.select("SELECT (leased_until - sent_at)::int AS ms FROM hero_queue_messages");
  assert(Number(row?.["ms"]) >= 30_000 && Number(row?.["ms"]) < 60_000, `It is leased for ${row?.["ms"]} ms`);
  await inbox.accept();
});

onQueues("the table of messages is cleared away early, without pauses, whatever its size", [], async (rig) => {
  const tables = await rig.select(
    "SELECT to_json(m.reloptions) AS of_table, to_json(t.reloptions) AS of_toast FROM pg_class m JOIN pg_class t ON t.oid = m.reltoastrelid " +
      "WHERE m.oid = 'hero_queue_messages'::regclass",
  );
  const early = [
    "autovacuum_vacuum_scale_factor=0",
    "autovacuum_vacuum_threshold=5000",
    "autovacuum_vacuum_insert_scale_factor=0",
    "autovacuum_vacuum_insert_threshold=50000",
    "autovacuum_vacuum_cost_delay=0",
  ];
  const ofTable = [
    "fillfactor=50",
    "vacuum_truncate=false",
    "autovacuum_analyze_scale_factor=0",
    "autovacuum_analyze_threshold=20000",
  ];
  const settings = (of: unknown): readonly unknown[] => Array.isArray(of) ? of.toSorted() : [];
  assertEquals([settings(tables[0]?.["of_table"]), settings(tables[0]?.["of_toast"])], [
    [...early, ...ofTable].toSorted(),
    early.toSorted(),
  ]);
});

onQueues(
  "only what a claim may take is in its index, and what is small and changes in place has room to",
  [],
  async (rig) => {
    const { schema, sql } = rig.bench;
    const indexes = await sql`SELECT indexname AS name, split_part(indexdef, ' WHERE ', 2) AS part FROM pg_indexes
    WHERE schemaname = ${schema} AND tablename = 'hero_queue_messages' ORDER BY indexname`;
    assertEquals(indexes.map(({ name, part }) => [name, part]), [
      ["hero_queue_messages_due", "(state = 3)"],
      ["hero_queue_messages_expiry", "(expires_at IS NOT NULL)"],
      ["hero_queue_messages_keys", "keeps"],
      ["hero_queue_messages_pkey", ""],
      ["hero_queue_messages_waiting", "(state = ANY (ARRAY[2, 5]))"],
    ]);
    const [queues] = await rig.select(
      "SELECT to_json(reloptions) AS options FROM pg_class WHERE oid = 'hero_queue_queues'::regclass",
    );
    assertEquals(queues?.["options"], [
      "fillfactor=50",
      "autovacuum_vacuum_scale_factor=0.02",
      "autovacuum_vacuum_threshold=500",
    ]);
  },
);

onQueues("what a receiver may hold no longer comes to another at once, counted", ["q"], async (rig) => {
  const transport = await rig.connect(); // whose leases last 30 s
  const inbox = await rig.receive(transport, "q", { holdMs: 300 });
  await rig.send(transport, "queue:q", { text: "held" });
  await rig.came(inbox, 1);
  inbox.receiver.credit(0);
  const other = await rig.receive(await rig.connect(), "q");
  await rig.came(other, 1, 15_000);
  assertEquals([inbox.lostDeliveries.length, other.only.deliveryCount], [1, 2]);
  await other.accept();
});

onQueues("what a transport holds when it closes is given back at once, counted", ["q"], async (rig) => {
  const transport = await rig.connect();
  const inbox = await rig.receive(transport, "q");
  await rig.send(transport, "queue:q", { text: "held" });
  await rig.came(inbox, 1);
  await transport.close(rig.clock.now() + 5_000);
  const other = await rig.receive(await rig.connect(), "q");
  await rig.came(other, 1, 15_000); // long before a lease would end
  assertEquals([other.texts, other.only.deliveryCount], [["held"], 2]);
  await other.accept();
});

onQueues(
  "what a receiver still has of its own queue, as its transport closes, goes with that queue",
  topology([], { t: [] }),
  async (rig) => {
    const transport = await rig.connect();
    const own = await rig.receive(transport, "mine", { lifetime: "instance", topics: ["t"], credit: 2 });
    await rig.send(transport, "topic:t", { text: "a" }, { text: "b" }, { text: "waits" });
    await rig.came(own, 2);
    await transport.close(rig.clock.now() + 5_000);
    assertEquals((await rig.select("SELECT FROM hero_queue_messages")).length, 0);
    assertEquals((await rig.select("SELECT FROM hero_queue_queues")).length, 0);
  },
);

onQueues("a lease whose renewals fail is lost when it ends, and said to be", ["q"], async (rig) => {
  const transport = await rig.connect({ lease: "1s" });
  const inbox = await rig.receive(transport, "q");
  await rig.send(transport, "queue:q", { text: "held" });
  await rig.came(inbox, 1);
  await rig.select("ALTER TABLE hero_queue_messages RENAME COLUMN leased_until TO away");
  await rig.until("it to be told", () => inbox.lostDeliveries.length === 1);
  await rig.select("ALTER TABLE hero_queue_messages RENAME COLUMN away TO leased_until");
  await rig.came(inbox, 2);
  await inbox.accept();
});

onQueues(
  "a lease that nobody can renew, as the server is at work for who asks, is lost when it ends",
  ["q"],
  async (rig) => {
    const transport = await rig.connect({ lease: "1s" });
    const inbox = await rig.receive(transport, "q");
    await rig.send(transport, "queue:q", { text: "held" });
    await rig.came(inbox, 1);
    await rig.bench.sql.begin(async (tx) => {
      await tx.unsafe(`LOCK TABLE "${rig.bench.schema}".hero_queue_messages IN ACCESS EXCLUSIVE MODE`);
      await rig.until("it to be told", () => inbox.lostDeliveries.length === 1);
    });
    await rig.came(inbox, 2);
    await inbox.accept();
  },
);

onQueues(
  "a process that stood still for longer than a lease asks before it gives up what it holds",
  ["q"],
  async (rig) => {
    const clock = new LeapingClock();
    const transport = await rig.connect({ lease: "3s" }, {}, clock);
    const inbox = await rig.receive(transport, "q");
    await rig.send(transport, "queue:q", { text: "held" });
    await rig.came(inbox, 1);
    const until = async (): Promise<number> =>
      Number((await rig.select("SELECT leased_until AS at FROM hero_queue_messages"))[0]?.["at"]);
    // Twice as usual, and then after a leap, which the database's clock does not make.
    for (const ms of [0, 0, 40_000]) {
      const begun = await until();
      clock.leap(ms);
      await rig.until("a lease that is renewed", async () => await until() > begun);
    }
    assertEquals(inbox.lostDeliveries.length, 0);
    await inbox.accept();
  },
);
