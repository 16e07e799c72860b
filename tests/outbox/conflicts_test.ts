/** On PostgreSQL: a handler that is told by a statement that another was first runs again, whatever it makes of that. */
import { assertEquals, assertRejects } from "@std/assert";
import type { TransactionSql } from "postgres";
import { command, createBus, event, retry } from "../../mod.ts";
import { onPostgres } from "../stores/postgres/opened.ts";

const Work = command<{ id: number }>("conflicts.work");
const Done = event<{ id: number }>("conflicts.done");

/** Fails as a statement does that the server has undone. */
const meets = (tx: TransactionSql, state = "40001") =>
  tx.unsafe(`DO $$ BEGIN RAISE EXCEPTION 'met another' USING ERRCODE = '${state}'; END $$`);

/** What handlers make of it. */
const ways: Readonly<Record<string, (tx: TransactionSql) => Promise<void>>> = {
  "throws it": async (tx) => void await meets(tx),
  "throws it, of a deadlock": async (tx) => void await meets(tx, "40P01"),
  "throws an error of its own": (tx) =>
    meets(tx).then(() => {}, (cause) => {
      throw new Error("Cannot reserve", { cause });
    }),
  "goes on": (tx) => meets(tx).then(() => {}, () => {}),
  "goes on, and throws what its next statement fails with": async (tx) => {
    await meets(tx).catch(() => {});
    await tx`SELECT 1`;
  },
};

for (const group of [undefined, 4]) {
  for (const [what, meet] of Object.entries(ways)) {
    const where = group === undefined ? "" : "in a group, ";
    onPostgres(`${where}a handler that meets another and ${what} runs again, and spends no retry`, async (opened) => {
      const { bench: { schema, sql } } = opened;
      const bus = createBus({ name: "app", store: opened.bench.store() });
      const [runs, done, told]: [string[], number[], unknown[]] = [[], [], []];
      bus.observe({ retried: ({ error }) => void told.push(error), faulted: ({ error }) => void told.push(error) });
      bus.endpoint("work", { outbox: group === undefined ? true : { group }, retry: retry.immediate(5) })
        .handle(Work, async ({ id }, ctx) => {
          runs.push(`${id} ${ctx.attempt}`);
          await ctx.tx.unsafe(`INSERT INTO "${schema}".own VALUES (${id})`);
          if (id === 1 && runs.filter((run) => run.startsWith("1")).length < 3) await meet(ctx.tx);
          await ctx.publish(Done, { id });
        });
      bus.endpoint("done").handle(Done, ({ id }) => void done.push(id));
      await bus.start();
      try {
        await sql.unsafe(`CREATE TABLE "${schema}".own (id int)`);
        await Promise.all([1, 2].map((id) => bus.send(Work, { id })));
        await opened.until("both are done", () => done.length >= 2);
        assertEquals([runs.filter((run) => run.startsWith("1")), told], [["1 1", "1 1", "1 1"], []]);
        const rows = await sql.unsafe(`SELECT id FROM "${schema}".own ORDER BY id`);
        assertEquals([rows.map(({ id }) => id), done.toSorted()], [[1, 2], [1, 2]]);
      } finally {
        await bus.stop();
      }
    });
  }
}

onPostgres("so does the work of bus.transaction", async (opened) => {
  const bus = createBus({ name: "app", store: opened.bench.store() });
  await bus.start();
  try {
    for (const [what, meet] of Object.entries(ways)) {
      let runs = 0;
      await bus.transaction(async (tx) => {
        if (++runs < 3) await meet(tx);
      });
      assertEquals([what, runs], [what, 3]);
    }
  } finally {
    await bus.stop();
  }
});

onPostgres(
  "what was met within a savepoint that was undone is over: another failure is told as it is",
  async (opened) => {
    const bus = createBus({ name: "app", store: opened.bench.store() });
    await bus.start();
    try {
      let runs = 0;
      const failing = bus.transaction(async (tx) => {
        runs++;
        await tx.savepoint((inner) => meets(inner)).catch(() => {});
        await tx`SELECT 1 / 0`.catch(() => {});
        await tx`SELECT 1`;
      });
      assertEquals((await assertRejects(() => failing) as { code?: string }).code, "25P02");
      assertEquals(runs, 1);
    } finally {
      await bus.stop();
    }
  },
);
