/** On PostgreSQL: transactions that the server ends under a handler, and duplicates that come at once. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { command, createBus, event, HeroError, retry } from "../../mod.ts";
import { onPostgres } from "../stores/postgres/opened.ts";

const Work = command<{ id: number; how: string }>("lost.work");
const Done = event<{ id: number }>("lost.done");

const endings = [
  ["idle_in_transaction_session_timeout", "HERO_"],
  ["pg_terminate_backend", "HERO_"],
  ["statement_timeout", "57014"],
] as const;

for (const [how, code] of endings) {
  onPostgres(
    `a handler whose transaction ${how} ends has one effect, by one retry, and none outside`,
    async (opened) => {
      const { bench: { sql, schema } } = opened;
      await sql.unsafe(`CREATE SCHEMA "${schema}"; CREATE TABLE "${schema}".own (id int, what text)`);
      const insert = `INSERT INTO "${schema}".own VALUES ($1::int, $2)`;
      const bus = createBus({ name: "app", store: opened.bench.store() });
      const [done, refused, retried]: [number[], string[], string[]] = [[], [], []];
      bus.observe({ retried: ({ error }) => void retried.push(codeOf(error)) });
      bus.endpoint("work", { outbox: true, retry: retry.immediate(3) }).handle(Work, async ({ id }, ctx) => {
        await ctx.tx.unsafe(insert, [id, "first"]);
        if (ctx.attempt === 1) {
          const ends = async () => {
            const [row] = await ctx.tx.unsafe("SELECT pg_backend_pid() AS pid");
            if (how === "idle_in_transaction_session_timeout") {
              await ctx.tx.unsafe("SET LOCAL idle_in_transaction_session_timeout = 50");
            } else if (how === "statement_timeout") {
              await ctx.tx.unsafe("SET LOCAL statement_timeout = 50");
              return await ctx.tx.unsafe("SELECT pg_sleep(600)");
            } else await sql.unsafe("SELECT pg_terminate_backend($1::int)", [row?.["pid"]]);
            const gone = async () =>
              (await sql.unsafe("SELECT 1 FROM pg_stat_activity WHERE pid = $1::int", [row?.["pid"]])).length === 0;
            await opened.until("the server has ended it", gone);
          };
          const failure = await ends().then(() => undefined, (error) => error);
          if (failure !== undefined) refused.push(codeOf(failure));
          for (const what of ["after", "later"]) {
            await ctx.tx.unsafe(insert, [id, what]).then(
              () => refused.push("none"),
              (error) => refused.push(codeOf(error)),
            );
          }
          // As the driver has it, where the server says why.
          if (how === "statement_timeout") throw failure;
        }
        await ctx.publish(Done, { id });
      });
      bus.endpoint("done").handle(Done, ({ id }) => void done.push(id));
      await bus.start();
      try {
        await bus.send(Work, { id: 1, how }, { messageId: "1" });
        await opened.until("it is done", () => done.length > 0);
        assert(refused.length >= 2 && !refused.includes("none"), `later statements reject: ${refused}`);
        assertEquals(retried.length, 1, String(retried));
        assert(retried[0]?.startsWith(code), retried[0]);
        // The same again is known: so what came of the first is all that comes.
        await bus.send(Work, { id: 1, how }, { messageId: "1" });
        await opened.until("the second is dropped", () => bus.statistics("work").duplicate === 1);
        assertEquals(done, [1]);
        assertEquals((await sql.unsafe(`SELECT what FROM "${schema}".own`)).map(({ what }) => what), ["first"]);
      } finally {
        await bus.stop();
      }
    },
  );
}

/** For so long that the server ends the transaction, of which nothing is read before the handler goes on. */
function deafen(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
}

onPostgres("a handler that waits for longer than its transaction may be idle is told so, once", async (opened) => {
  const { bench: { sql } } = opened;
  const bus = createBus({ name: "app", store: opened.bench.store() });
  const told: Error[] = [];
  let runs = 0;
  bus.observe({ faulted: ({ error }) => void (error instanceof Error && told.push(error)) });
  bus.endpoint("work", { outbox: true }).handle(Work, async ({ how }, ctx) => {
    runs++;
    const [row] = await ctx.tx.unsafe("SELECT pg_backend_pid() AS pid");
    if (how === "ended") await sql.unsafe("SELECT pg_terminate_backend($1::int)", [row?.["pid"]]);
    else await ctx.tx.unsafe("SET LOCAL idle_in_transaction_session_timeout = 50");
    if (how === "idle, deaf") return deafen();
    const gone = async () =>
      (await sql.unsafe("SELECT 1 FROM pg_stat_activity WHERE pid = $1::int", [row?.["pid"]])).length === 0;
    await opened.until("the server has ended it", gone);
    if (how === "ended") await ctx.tx.unsafe("SELECT 1");
  });
  await bus.start();
  try {
    for (const [at, how] of ["idle", "idle, deaf"].entries()) {
      await bus.send(Work, { id: at, how });
      await opened.until("it has failed", () => told.length > at);
      assertEquals([runs, codeOf(told[at])], [at + 1, "HERO_STORE_TIMEOUT"], how);
      assertStringIncludes(told[at]!.message, "terminating connection due to idle-in-transaction timeout"); // seen above
      assertStringIncludes(told[at]!.message, "before the first use of ctx.tx");
    }
    await bus.send(Work, { id: 2, how: "ended" });
    await opened.until("the last has failed", () => told.length > 2);
    assertEquals(codeOf(told[2]), "HERO_STORE_UNAVAILABLE");
    assertStringIncludes(told[2]!.message, "administrator command (57P01)"); // as above
  } finally {
    await bus.stop();
  }
});

for (const setting of ["statement_timeout", "lock_timeout"]) {
  onPostgres(
    `a commit that ${setting} ends is a failed attempt: the retry policy says whether there is another`,
    async (opened) => {
      const { bench: { sql, schema } } = opened;
      await sql.unsafe(`CREATE SCHEMA "${schema}"; CREATE TABLE "${schema}".own (id int, attempt int)`);
      const bus = createBus({ name: "app", store: opened.bench.store() });
      const [runs, retried, faulted, done]: [string[], string[], string[], number[]] = [[], [], [], []];
      bus.observe({
        retried: ({ error }) => void retried.push(codeOf(error)),
        faulted: ({ error }) => void faulted.push(codeOf(error)),
      });
      bus.endpoint("work", { outbox: true, retry: retry.immediate(1) }).handle(Work, async ({ id, how }, ctx) => {
        runs.push(`${id} ${ctx.attempt}`);
        if (how === "always" || ctx.attempt === 1) await ctx.tx.unsafe(`SET LOCAL ${setting} = 50`);
        else free.resolve();
        await ctx.tx.unsafe(`INSERT INTO "${schema}".own VALUES ($1::int, $2::int)`, [id, ctx.attempt]);
        await ctx.publish(Done, { id });
      });
      bus.endpoint("done").handle(Done, ({ id }) => void done.push(id));
      await bus.start();
      let free = Promise.withResolvers<void>();
      // Nobody can write what is to be sent, until it is free.
      const held = async (): Promise<void> => {
        const locked = Promise.withResolvers<void>();
        ended = sql.begin(async (tx) => {
          await tx.unsafe(`LOCK TABLE "${schema}".hero_outbox IN SHARE MODE`);
          locked.resolve();
          await free.promise;
        });
        await locked.promise;
      };
      let ended: Promise<unknown> = Promise.resolve();
      try {
        await held();
        await bus.send(Work, { id: 1, how: "once" });
        await opened.until("the first is done", () => done.length > 0);
        assertEquals([runs, retried, faulted], [["1 1", "1 2"], ["HERO_STORE_TIMEOUT"], []]);
        await ended;
        free = Promise.withResolvers();
        await held();
        await bus.send(Work, { id: 2, how: "always" });
        await opened.until("the second has failed", () => faulted.length > 0);
        assertEquals([runs.slice(2), faulted], [["2 1", "2 2"], ["HERO_STORE_TIMEOUT"]]);
        const rows = await sql.unsafe(`SELECT id, attempt FROM "${schema}".own`);
        assertEquals([rows.map(({ id, attempt }) => [id, attempt]), done], [[[1, 2]], [1]]);
      } finally {
        free.resolve();
        await ended;
        await bus.stop();
      }
    },
  );
}

for (const uses of [true, false]) {
  onPostgres(
    `three deliveries of one message at once have one effect, ${uses ? "with" : "without"} ctx.tx`,
    async (opened) => {
      const { bench: { sql, schema } } = opened;
      await sql.unsafe(`CREATE SCHEMA "${schema}"; CREATE TABLE "${schema}".own (id int)`);
      const bus = createBus({ name: "app", store: opened.bench.store() });
      const done: number[] = [];
      let runs = 0;
      bus.endpoint("work", { outbox: true, concurrency: 8 }).handle(Work, async ({ id }, ctx) => {
        runs++;
        if (uses) await ctx.tx.unsafe(`INSERT INTO "${schema}".own VALUES ($1::int)`, [id]);
        await ctx.publish(Done, { id });
      });
      bus.endpoint("done").handle(Done, ({ id }) => void done.push(id));
      await bus.start();
      try {
        await Promise.all([1, 2, 3].map(() => bus.send(Work, { id: 5, how: "" }, { messageId: "same" })));
        await opened.until("all are dealt with", () => bus.statistics("work").duplicate === 2 && done.length > 0);
        assertEquals([runs, done], [1, [5]]);
        assertEquals((await sql.unsafe(`SELECT id FROM "${schema}".own`)).length, uses ? 1 : 0);
      } finally {
        await bus.stop();
      }
    },
  );
}

function codeOf(error: unknown): string {
  if (error instanceof HeroError) return error.code;
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}
