/** Two transactions of one key, and a queue that becomes ordered while somebody writes. */
import { assertEquals } from "@std/assert";
import { onQueues, type Rig } from "./rig.ts";

/** The key of a lock by which a test holds up whoever writes. */
const gate = 20_261;

/** Whoever writes a message of that id waits, as the trigger says when, as long as something is done. */
async function holdingUp(rig: Rig, messageId: string, when: string, during: () => Promise<void>): Promise<void> {
  await rig.select(
    `CREATE FUNCTION hero_wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ` +
      `PERFORM pg_advisory_xact_lock_shared(${gate}); RETURN NEW; END $$`,
  );
  await rig.select(
    `CREATE ${when} ON hero_queue_messages ${when.includes("CONSTRAINT") ? "DEFERRABLE INITIALLY DEFERRED" : ""} ` +
      `FOR EACH ROW WHEN (NEW.message_id = '${messageId}') EXECUTE FUNCTION hero_wait()`,
  );
  await rig.bench.sql.begin(async (tx) => {
    await tx.unsafe(`SELECT pg_advisory_xact_lock(${gate})`);
    await during();
  });
}

/** How many wait for that lock, or for a table or key of this schema's. */
async function waiting(rig: Rig): Promise<number> {
  const [row] = await rig.bench.sql.unsafe(
    `SELECT count(*)::int AS n FROM pg_locks l WHERE NOT granted AND (objid = ${gate} OR ` +
      `relation = '"${rig.bench.schema}".hero_queue_messages'::regclass OR ` +
      `pid IN (SELECT pid FROM pg_locks h WHERE relation = '"${rig.bench.schema}".hero_queue_messages'::regclass))`,
  );
  return Number(row?.["n"]);
}

onQueues("two that send to one key at once make one of theirs ready", ["q"], async (rig) => {
  const [one, other] = [await rig.connect(), await rig.connect()];
  await rig.receive(one, "q", { ordered: true, credit: 0 });
  let sends: Promise<unknown> = Promise.resolve();
  await holdingUp(rig, "first", "CONSTRAINT TRIGGER hold AFTER UPDATE", async () => {
    const first = rig.send(one, "queue:q", { text: "first", key: "k", messageId: "first" });
    await rig.until("the first, about to commit", async () => await waiting(rig) === 1);
    let sent = false;
    const second = rig.send(other, "queue:q", { text: "second", key: "k" }).then(() => sent = true);
    await rig.until("the second to wait, or not", async () => sent || await waiting(rig) === 2);
    sends = Promise.all([first, second]);
  });
  await sends;
  const states = await rig.select("SELECT state FROM hero_queue_messages ORDER BY state");
  assertEquals(states.map(({ state }) => state), [2, 5]);
});

onQueues("what is on its way while its queue becomes ordered has its place in that order", ["q"], async (rig) => {
  const [one, other] = [await rig.connect(), await rig.connect()];
  await rig.send(other, "queue:q", { text: "first", key: "k" });
  let both: Promise<unknown> = Promise.resolve();
  await holdingUp(rig, "second", "TRIGGER hold BEFORE INSERT", async () => {
    const sent = rig.send(other, "queue:q", { text: "second", key: "k", messageId: "second" });
    await rig.until("what is sent to wait", async () => await waiting(rig) === 1);
    let opened = false;
    const receiving = rig.receive(one, "q", { ordered: true, credit: 0 }).finally(() => opened = true);
    await rig.until("who makes it ordered to wait, or not", async () => opened || await waiting(rig) === 2);
    both = Promise.all([sent, receiving]);
  });
  await both;
  const rows = await rig.select("SELECT keeps, state FROM hero_queue_messages ORDER BY place");
  assertEquals(rows.map((row) => ({ ...row })), [{ keeps: true, state: 2 }, { keeps: true, state: 5 }]);
});

onQueues("what expires unseen lets the next of its key come", ["q"], async (rig) => {
  const transport = await rig.connect();
  const inbox = await rig.receive(transport, "q", { ordered: true, credit: 0 });
  await rig.send(transport, "queue:q", { key: "k", expiresAt: rig.clock.now() - 1 }, { text: "next", key: "k" });
  const { clock } = rig;
  const hasty = { ...clock, background: { now: () => clock.now(), at: soon } };
  function soon(_: number, run: () => void): () => void {
    return clock.at(clock.now() + 50, run);
  }
  await rig.connect({}, { listen: false }, hasty); // who sweeps at once
  await rig.until("the sweep", async () => (await rig.select("SELECT FROM hero_queue_messages")).length === 1);
  inbox.allowed = 1;
  inbox.receiver.credit(1);
  await rig.came(inbox, 1);
  assertEquals(inbox.texts, ["next"]);
  await inbox.accept();
});
