/** What other libraries got wrong about outbox and transactions, on PostgreSQL: cases 29, 31, 33 and 43. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { command, createBus, event, memory, type Transport, UnserializableError } from "../../../mod.ts";
import { onPostgres } from "./opened.ts";

const Work = command<{ id: number }>("cases.work");
const Done = event<{ id: number; text: string }>("cases.done");
const Remind = command<{ id: number }>("cases.remind");
const nul = "a\u0000b";

/** A transport that refuses one message, for a reason that no text of PostgreSQL may hold. */
function refusing(messageId: string): Transport {
  const transport = memory();
  const send = transport.send.bind(transport);
  transport.send = (batch) => {
    const rest = batch.filter((outgoing) => {
      if (outgoing.messageId !== messageId) return true;
      outgoing.settled(new Error("a\u0000b \ud800"));
      return false;
    });
    return rest.length === 0 ? undefined : send(rest);
  };
  return transport;
}

onPostgres(
  "what a transaction has numbered before others, and commits after them, is sent once as they are (case 29)",
  async (opened) => {
    const bus = createBus({ name: "app", store: opened.bench.store() });
    const got: number[] = [];
    bus.endpoint("done", { concurrency: 1 }).handle(Done, ({ id }) => void got.push(id));
    await bus.start();
    try {
      await opened.bench.sql.begin(async (tx) => {
        await bus.publish(Done, { id: 1, text: "" }, { tx }); // it has its number
        await bus.transaction((_, sender) => sender.publish(Done, { id: 2, text: "" }));
        await opened.until("the second has come", () => got.includes(2));
      });
      await opened.until("the first has come", () => got.includes(1));
      await opened.until(
        "nothing is left",
        async () => (await opened.bench.sql.unsafe(`SELECT FROM "${opened.bench.schema}".hero_outbox`)).length === 0,
      );
      assertEquals(got, [2, 1]);
    } finally {
      await bus.stop();
    }
  },
);

onPostgres(
  "a backend that is ended under a handler takes its transaction along, and the next try has one effect (case 31)",
  async (opened) => {
    const { bench: { sql, schema } } = opened;
    const bus = createBus({ name: "app", store: opened.bench.store() });
    const [got, rejectedInMs]: [number[], number[]] = [[], []];
    let tries = 0;
    bus.endpoint("work", { outbox: true, redeliver: ["100ms"] }).handle(Work, async ({ id }, ctx) => {
      await ctx.tx.unsafe(`INSERT INTO "${schema}".own VALUES (${id})`);
      if (++tries === 1) {
        const [row] = await ctx.tx`SELECT pg_backend_pid() AS pid`;
        await sql`SELECT pg_terminate_backend(${Number(row?.["pid"])})`;
        for (let nth = 0; nth < 2; nth++) {
          const begin = performance.now();
          await ctx.tx.unsafe(`INSERT INTO "${schema}".own VALUES (-1)`)
            .catch(() => rejectedInMs.push(performance.now() - begin));
        }
      }
      await ctx.publish(Done, { id, text: "" });
    });
    bus.endpoint("done").handle(Done, ({ id }) => void got.push(id));
    await bus.start();
    try {
      await sql.unsafe(`CREATE TABLE "${schema}".own (id int)`);
      await bus.send(Work, { id: 1 });
      await opened.until("it is done", () => got.length > 0);
      assertEquals([tries, got, rejectedInMs.length], [2, [1], 2]);
      assert(rejectedInMs.every((ms) => ms < 1_000), String(rejectedInMs));
      assertEquals((await sql.unsafe(`SELECT id FROM "${schema}".own`)).map(({ id }) => id), [1]);
    } finally {
      await bus.stop();
    }
  },
);

onPostgres(
  "NUL passes through outbox and schedules, and a lone surrogate is refused where it is sent (case 33)",
  async (opened) => {
    const bus = createBus({ name: "app", store: opened.bench.store(), transport: refusing("bad") });
    const got: string[] = [];
    bus.endpoint("work", { outbox: true }).handle(Work, async ({ id }, ctx) => {
      if (id === 2) throw new Error(`broken ${nul} \ud800`);
      await ctx.publish(Done, { id, text: nul }, { key: nul });
      await assertRejects(() => ctx.publish(Done, { id, text: "\ud800" }), UnserializableError, "text");
    });
    bus.endpoint("done").handle(Done, ({ text }) => void got.push(text));
    await bus.start();
    try {
      await bus.transaction(async (_, sender) => {
        await sender.publish(Done, { id: 0, text: "never" }, { messageId: "bad" });
        await sender.publish(Done, { id: 0, text: "behind it" });
      });
      await bus.send(Work, { id: 1 });
      await bus.send(Work, { id: 2 });
      await bus.schedule(Done, { id: 3, text: `later ${nul}` }, { in: 50 });
      await assertRejects(() => bus.schedule(Done, { id: 3, text: "\ud800" }, { in: 50 }), UnserializableError, "text");
      // Its reason is written, and nothing waits for it.
      const { bench: { sql, schema } } = opened;
      const why = async () => (await sql.unsafe(`SELECT error FROM "${schema}".hero_outbox`))[0]?.["error"];
      await opened.until("the refusal is written", async () => await why() !== undefined && await why() !== null);
      assertEquals(await why(), "Error: a\ufffdb \ufffd");
      await opened.until("all others have come", () => got.length >= 3);
      assertEquals(got.toSorted(), [nul, "behind it", `later ${nul}`].toSorted());
      const [failed] = await Array.fromAsync(bus.errors("work").list());
      const told = failed?.exceptions[0]?.message ?? "";
      assert(told.startsWith("broken a") && told.endsWith("\ufffd") && told.isWellFormed(), JSON.stringify(failed));
    } finally {
      await bus.stop();
    }
  },
);

onPostgres(
  "what became due while every process was down is sent once on return, and what was taken back is not (case 43)",
  async (opened) => {
    const { bench: { sql, schema } } = opened;
    const got: number[] = [];
    const life = async () => {
      const bus = createBus({ name: "app", store: opened.bench.store() });
      bus.endpoint("reminders").handle(Remind, ({ id }) => void got.push(id));
      await bus.start();
      return bus;
    };
    const first = await life();
    await first.schedule(Remind, { id: 1 }, { in: "15m" });
    await first.schedule(Remind, { id: 2 }, { in: "1d" });
    await first.unschedule(await first.schedule(Remind, { id: 3 }, { in: "15m" }));
    await first.stop();
    // So long later.
    await sql.unsafe(`UPDATE "${schema}".hero_schedules SET due_at = due_at - 1800000, free_at = free_at - 1800000`);
    for (let lives = 0; lives < 2; lives++) {
      const bus = await life();
      await opened.until("it has come", () => got.length > 0);
      const left = async () => (await sql.unsafe(`SELECT FROM "${schema}".hero_schedules`)).length;
      await opened.until("the store knows of it", async () => await left() === 1);
      await bus.stop();
    }
    assertEquals(got, [1]);
  },
);
