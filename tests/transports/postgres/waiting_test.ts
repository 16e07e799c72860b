/** What waits to be tried again holds no connection, though its handler has used the transaction. */
import { assertEquals } from "@std/assert";
import { command, createBus, type EndpointOptions, retry } from "../../../mod.ts";
import { postgresTransport } from "../../../transports/postgres/mod.ts";
import { onQueues } from "./rig.ts";

const Work = command<object>("waiting.work");

const ways: Readonly<Record<string, EndpointOptions<true>>> = {
  "a retry": { outbox: true, retry: retry.interval(5, "1h") },
  "a redelivery": { outbox: true, redeliver: ["1h"] },
};
for (const [way, options] of Object.entries(ways)) {
  onQueues(
    `messages that wait for ${way} hold no connection, and the transactions of others go on`,
    undefined,
    async (rig) => {
      const { schema, sql } = rig.bench;
      const store = rig.bench.store({ max: 12, connection: { connection: { application_name: schema } } });
      const bus = createBus({ name: "orders", store, transport: postgresTransport(store) });
      const waiting = new Set<string>();
      bus.observe({ retried: ({ messageId }) => void waiting.add(messageId) });
      bus.endpoint("work", { ...options, concurrency: 8 }).handle(Work, async (_, ctx) => {
        await ctx.tx.unsafe(`INSERT INTO "${schema}".own VALUES ('${ctx.messageId}')`);
        throw new Error("not yet");
      });
      await bus.start();
      await sql.unsafe(`CREATE TABLE "${schema}".own (id text)`);
      try {
        for (let id = 0; id < 8; id++) await bus.send(Work, {});
        await rig.until("all wait", () => waiting.size === 8);
        await rig.until("no transaction is open", async () => {
          const [row] = await sql.unsafe(
            `SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = '${schema}' ` +
              `AND xact_start IS NOT NULL`,
          );
          return row?.["n"] === 0;
        });
        await Promise.all(Array.from({ length: 11 }, () => bus.transaction((tx) => tx`SELECT 1`)));
      } finally {
        await bus.stop({ deadline: 0 });
      }
      assertEquals([...await sql.unsafe(`SELECT id FROM "${schema}".own`)], []);
    },
  );
}
