/** Behaviours that other libraries got wrong, by their numbers in the list of cases, where queues share the bus' store. */
import { assert, assertEquals } from "@std/assert";
import client from "postgres";
import { command, createBus, event } from "../../../mod.ts";
import { postgresTransport } from "../../../transports/postgres/mod.ts";
import { onQueues, type Rig } from "./rig.ts";

const Submit = command<{ readonly id: number }>("cases.submit", { key: ({ id }) => String(id) });
const Submitted = event<{ readonly id: number }>("cases.submitted");

function shared({ bench }: Rig) {
  const store = bench.store({ max: 12 });
  return createBus({ name: "orders", store, transport: postgresTransport(store) });
}

onQueues(
  "case 29: what a transaction has numbered before others and commits after them is not passed over",
  undefined,
  async (rig) => {
    const { sql, schema } = rig.bench;
    const bus = shared(rig);
    const handled: number[] = [];
    bus.endpoint("in", { outbox: true }).handle(Submit, ({ id }) => void handled.push(id));
    await bus.start();
    const gate = client(rig.bench.url, { max: 1, onnotice: () => {} });
    try {
      // Whoever has its number stands still until the gate opens.
      const lock = `hashtext('${schema}')`;
      await sql.unsafe(`CREATE FUNCTION "${schema}".hold() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_advisory_xact_lock_shared(${lock}); RETURN NULL; END $$;
        CREATE TRIGGER hold AFTER INSERT ON "${schema}".hero_queue_messages FOR EACH ROW WHEN (NEW.key = '1')
          EXECUTE FUNCTION "${schema}".hold()`);
      await gate.unsafe(`SELECT pg_advisory_lock(${lock})`);
      let committed = false;
      const open = bus.transaction(async (tx, sender) => {
        await tx`SELECT 1`;
        await sender.send(Submit, { id: 1 });
      }).then(() => committed = true);
      await rig.until("it to have its number", async () =>
        (await sql.unsafe(
          `SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = (${lock}::bigint & 4294967295)::oid`,
        )).length > 0);
      for (let id = 2; id <= 7; id++) await bus.send(Submit, { id });
      await rig.until("those after it", () => handled.length === 6);
      assert(!committed);
      assertEquals(handled.toSorted(), [2, 3, 4, 5, 6, 7]);
      await gate.unsafe(`SELECT pg_advisory_unlock(${lock})`);
      await open;
      await rig.until("it", () => handled.length === 7);
      assertEquals(handled.at(-1), 1);
      await rig.until(
        "nothing to be left",
        async () => (await rig.select("SELECT FROM hero_queue_messages")).length < 1,
      );
    } finally {
      await gate.end(); // and so lets go
      await bus.stop();
    }
  },
);

onQueues(
  "case 31: a backend that is ended inside a unit takes all of it along: nothing is written past it, and the next try has one effect",
  undefined,
  async (rig) => {
    const { sql, schema } = rig.bench;
    const bus = shared(rig);
    const done: number[] = [];
    const failed: unknown[] = [];
    let tries = 0;
    bus.endpoint("in", { outbox: true, redeliver: ["100ms"] }).handle(Submit, async ({ id }, ctx) => {
      await ctx.tx.unsafe(`INSERT INTO "${schema}".own VALUES (${id})`);
      if (++tries === 1) {
        const [row] = await ctx.tx.unsafe("SELECT pg_backend_pid() AS pid");
        await sql`SELECT pg_terminate_backend(${Number(row?.["pid"])})`;
        // A handler that catches all goes on; none of it may be written by another connection.
        for (let nth = 0; nth < 2; nth++) {
          await ctx.tx.unsafe(`INSERT INTO "${schema}".own VALUES (-1)`).catch((error) => failed.push(error));
        }
      }
      await ctx.publish(Submitted, { id });
    });
    bus.endpoint("out").handle(Submitted, ({ id }) => void done.push(id));
    await bus.start();
    await sql.unsafe(`CREATE TABLE "${schema}".own (id int)`);
    try {
      await bus.send(Submit, { id: 1 });
      await rig.until("the second try's event", () => done.length > 0);
      await rig.until(
        "nothing to be left",
        async () => (await rig.select("SELECT FROM hero_queue_messages")).length < 1,
      );
      assertEquals([tries, failed.length, done], [2, 2, [1]]);
      assertEquals((await sql.unsafe(`SELECT id FROM "${schema}".own`)).map(({ id }) => id), [1]);
      assertEquals((await rig.select("SELECT FROM hero_outbox")).length, 0);
    } finally {
      await bus.stop();
    }
  },
);
