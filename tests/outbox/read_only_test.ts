/** On PostgreSQL: a database that takes no writes for a while, as during a failover. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { TransactionSql } from "postgres";
import { command, createBus, event, HeroError, saga, type } from "../../mod.ts";
import type { Bus } from "../../src/bus/bus.ts";
import { postgresTransport } from "../../transports/postgres/mod.ts";
import { onPostgres, type Opened } from "../stores/postgres/opened.ts";

const Work = command<{ id: number }>("outage.work");
const Done = event<{ id: number }>("outage.done");

/** A role of its own whose connections may be told not to write. */
class Failover {
  readonly url: string;
  readonly #sql: Opened["bench"]["sql"];
  readonly #role: string;

  private constructor({ bench: { sql, schema, url } }: Opened) {
    this.#sql = sql;
    this.#role = `${schema}_role`;
    const at = new URL(url);
    at.username = this.#role;
    this.url = at.href;
  }

  static async of(opened: Opened): Promise<Failover> {
    const failover = new Failover(opened);
    await opened.bench.sql.unsafe(`CREATE ROLE ${failover.#role} LOGIN SUPERUSER`);
    return failover;
  }

  /** Ends all connections; new ones lead to what takes no writes. */
  async begin(): Promise<void> {
    await this.#sql.unsafe(`ALTER ROLE ${this.#role} SET default_transaction_read_only = on`);
    await this.#sql.unsafe("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", [this.#role]);
  }
  /** New connections lead to what takes writes. Those that are there are left as they are. */
  async end(): Promise<void> {
    await this.#sql.unsafe(`ALTER ROLE ${this.#role} RESET default_transaction_read_only`);
  }

  /** With all that it owns. */
  async drop(): Promise<void> {
    await this.#sql.unsafe(`DROP OWNED BY ${this.#role} CASCADE; DROP ROLE ${this.#role}`);
  }
}

type PostgresBus = Bus<TransactionSql>;
type Use = (id: number, tx: TransactionSql) => Promise<unknown>;

const Counter = saga("counter", {
  data: type<object>(),
  states: ["counted"],
  events: (on) => ({ work: on.start(Work, ({ id }) => String(id), () => ({})) }),
}, ({ initially, when }) => [
  initially(when("work").publish(Done, ({ message: { id } }) => ({ id })).transitionTo("counted")),
]);

const kinds: readonly (readonly [string, (bus: PostgresBus, use: Use, ran: (id: number) => void) => void])[] = [
  ["a handler that uses ctx.tx", (bus, use, ran) => {
    bus.endpoint("work", { outbox: true }).handle(Work, async ({ id }, ctx) => {
      ran(id);
      await use(id, ctx.tx);
      await ctx.publish(Done, { id });
    });
  }],
  ["a handler that makes an error of its own of it", (bus, use, ran) => {
    bus.endpoint("work", { outbox: true }).handle(Work, async ({ id }, ctx) => {
      ran(id);
      await use(id, ctx.tx).catch(() => {
        throw new Error("the order could not be written");
      });
      await ctx.publish(Done, { id });
    });
  }],
  ["a handler that goes on without it", (bus, use, ran) => {
    bus.endpoint("work", { outbox: true }).handle(Work, async ({ id }, ctx) => {
      ran(id);
      await use(id, ctx.tx).catch(() => {});
      await ctx.publish(Done, { id });
    });
  }],
  ["a handler that only publishes", (bus, _, ran) => {
    bus.endpoint("work", { outbox: true }).handle(Work, async ({ id }, ctx) => {
      ran(id);
      await ctx.publish(Done, { id });
    });
  }],
  ["a group", (bus, use, ran) => {
    bus.endpoint("work", { outbox: { group: 3 } }).handle(Work, async ({ id }, ctx) => {
      ran(id);
      await use(id, ctx.tx);
      await ctx.publish(Done, { id });
    });
  }],
  ["a batch", (bus, use, ran) => {
    bus.endpoint("work", { outbox: true }).batch(Work, { size: 3, within: "100ms" }, async (batch, ctx) => {
      for (const { message: { id } } of batch) {
        ran(id);
        await use(id, ctx.tx);
        await ctx.publish(Done, { id });
      }
    });
  }],
  ["a saga", (bus) => void bus.add(Counter, { outbox: true })],
];

for (const [kind, declare] of kinds) {
  onPostgres(`${kind} is held while the database takes no writes, and no try is spent`, async (opened) => {
    const failover = await Failover.of(opened);
    const { bench: { sql, schema } } = opened;
    const store = opened.bench.store({ url: failover.url });
    let tries = 0;
    const lease = store.lease.bind(store);
    store.lease = (name, owner, ms) => {
      tries++;
      return lease(name, owner, ms);
    };
    const bus = createBus({ name: "app", store });
    const [done, failures, runs]: [number[], string[], number[]] = [[], [], []];
    declare(
      bus,
      (id, tx) => tx.unsafe(`INSERT INTO "${schema}".own VALUES ($1::int)`, [id]),
      (id) => void runs.push(id),
    );
    bus.endpoint("done").handle(Done, ({ id }) => void done.push(id));
    const failed = ({ error }: { readonly error: Error }) => void failures.push(error.message);
    bus.observe({ retried: failed, faulted: failed });
    await bus.start();
    try {
      await sql.unsafe(`CREATE TABLE "${schema}".own (id int)`);
      await failover.begin();
      for (const id of [1, 2, 3]) await bus.send(Work, { id });
      const reason = () => bus.health().parts.find(({ name }) => name === "store postgres")?.reason ?? "";
      const held = () => reason().includes("3 messages are held: ") && reason().includes("read-only");
      await opened.until("they are held", () => failures.length > 0 || held());
      assertEquals(failures, []);
      assertEquals(bus.health().status, "degraded");
      await opened.until("it is asked again and again", () => tries >= 3);
      await failover.end();
      await opened.until("all have their effect", () => done.length >= 3);
      assertEquals([done.toSorted(), failures], [[1, 2, 3], []]);
      // On a connection that was ended, together, alone, and once it can be written; not for each time that it was asked.
      const runsOf = (id: number) => runs.filter((each) => each === id).length;
      for (const id of [1, 2, 3]) assert(runsOf(id) <= 4, `Run in vain, again and again: ${runs}`);
      const { consumed, retried, faulted } = bus.statistics(kind === "a saga" ? "counter" : "work");
      assertEquals({ consumed, retried, faulted }, { consumed: 3, retried: 0, faulted: 0 });
      const rows = await sql.unsafe(`SELECT id FROM "${schema}".own ORDER BY id`);
      const wrote = kind !== "a saga" && kind !== "a handler that only publishes";
      assertEquals(rows.map(({ id }) => id), wrote ? [1, 2, 3] : []);
    } finally {
      await bus.stop();
      await failover.drop();
    }
  });
}

onPostgres(
  "what is under way on queues in a database that fails over is held, and has its effect once",
  async (opened) => {
    const failover = await Failover.of(opened);
    const { bench: { sql, schema } } = opened;
    const store = opened.bench.store({ url: failover.url });
    const bus = createBus({ name: "app", store, transport: postgresTransport(store) });
    const [done, failures]: [number[], Error[]] = [[], []];
    const begun = Promise.withResolvers<void>();
    let arrived = 0;
    bus.endpoint("work", { outbox: true }).handle(Work, async ({ id }, ctx) => {
      arrived++;
      await begun.promise;
      if (id !== 2) await ctx.tx.unsafe(`INSERT INTO "${schema}".own VALUES ($1::int)`, [id]);
      await ctx.publish(Done, { id });
    });
    bus.endpoint("done", { outbox: true }).handle(Done, ({ id }) => void done.push(id));
    const failed = ({ error }: { readonly error: Error }) => void failures.push(error);
    bus.observe({ retried: failed, faulted: failed });
    await bus.start();
    try {
      await sql.unsafe(`CREATE TABLE "${schema}".own (id int)`);
      for (const id of [1, 2, 3]) await bus.send(Work, { id });
      await opened.until("they are under way", () => arrived === 3);
      await failover.begin();
      begun.resolve();
      const reason = () => bus.health().parts.find(({ name }) => name === "store postgres")?.reason ?? "";
      await opened.until("they are held", () => failures.length > 0 || reason().includes("3 messages are held: "));
      await failover.end();
      await opened.until("all have their effect", () => done.length >= 3 || failures.length > 0);
      assertEquals([done.toSorted(), failures], [[1, 2, 3], []]);
      const { waiting, active, failed } = await bus.counts("work");
      assertEquals({ waiting, active, failed }, { waiting: 0, active: 0, failed: 0 });
      assertEquals((await sql.unsafe(`SELECT id FROM "${schema}".own ORDER BY id`)).map(({ id }) => id), [1, 3]);
    } finally {
      await bus.stop();
      await failover.drop();
    }
  },
);

onPostgres("a handler that makes its own transaction read-only has failed, and is told so", async (opened) => {
  const { bench: { sql, schema } } = opened;
  const bus = createBus({ name: "app", store: opened.bench.store() });
  const failures: Error[] = [];
  bus.endpoint("work", { outbox: true }).handle(Work, async ({ id }, ctx) => {
    await ctx.tx`SET TRANSACTION READ ONLY`;
    if (id === 1) await ctx.tx.unsafe(`INSERT INTO "${schema}".own VALUES (1)`);
    await ctx.publish(Done, { id });
  });
  bus.observe({ faulted: ({ error }) => void failures.push(error) });
  await bus.start();
  try {
    await sql.unsafe(`CREATE TABLE "${schema}".own (id int)`);
    await bus.send(Work, { id: 1 });
    await opened.until("the first has failed", () => failures.length === 1);
    assertEquals(Reflect.get(failures[0]!, "code"), "25006"); // seen above
    await bus.send(Work, { id: 2 });
    await opened.until("the second has failed", () => failures.length === 2);
    const [, second] = failures;
    assert(second instanceof HeroError && second.code === "HERO_CONFIGURATION", String(second));
    assertStringIncludes(second.message, "SET TRANSACTION READ ONLY");
  } finally {
    await bus.stop();
  }
});
