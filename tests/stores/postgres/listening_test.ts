/** How a store hears of what others write. */
import { assert, assertEquals } from "@std/assert";
import { Listener } from "../../../stores/postgres/listener.ts";
import { VirtualClock } from "../../../src/testing/virtual_clock.ts";
import { turn } from "../../../src/testing/turn.ts";
import { usualPort } from "../../support/servers/postgres.ts";
import { TcpProxy } from "../../support/tcp_proxy.ts";
import { test } from "../../support/runner.ts";
import { onPostgres } from "./opened.ts";

const never = new AbortController().signal;

/** A wire on which what is said is heard, unless it is dead. */
class Wire {
  dead = false;
  opened = 0;
  readonly heard: string[] = [];
  readonly clock = new VirtualClock();
  readonly #end = new AbortController();
  #hear: ((text: string) => void) | undefined;
  readonly listener: Listener;

  constructor() {
    this.listener = new Listener({
      channel: "c",
      clock: this.clock,
      end: this.#end.signal,
      heard: (text) => this.heard.push(text),
      listen: (_, heard) => {
        this.opened++;
        this.dead = false;
        this.#hear = heard;
        return Promise.resolve(() => Promise.resolve());
      },
      say: (text) => Promise.resolve(this.dead ? undefined : this.#hear?.(text)),
    });
    this.listener.start();
  }

  say(text: string): void {
    if (!this.dead) this.#hear?.(text);
  }
  async pass(ms: number): Promise<void> {
    await this.clock.advanceTo(this.clock.now() + ms, turn);
  }
  async end(): Promise<void> {
    this.#end.abort(new Error("enough"));
    await this.listener.ended();
    assertEquals(this.clock.pending, 0);
  }
}

test("PostgreSQL: a listener hands on what it hears, and not what it says to itself", async () => {
  const wire = new Wire();
  await wire.pass(60_000);
  wire.say("notice");
  wire.say("?another listener's question");
  assertEquals([wire.heard, wire.opened], [["", "notice"], 1]);
  await wire.end();
});

test("PostgreSQL: a listener that hears nothing any more is found and replaced, and all look again", async () => {
  const wire = new Wire();
  await wire.pass(30_000);
  wire.dead = true;
  await wire.pass(30_000);
  assertEquals([wire.opened, wire.listener.replaced, wire.heard], [2, 1, ["", ""]]);
  wire.say("notice");
  assertEquals(wire.heard.at(-1), "notice");
  await wire.end();
});

test("PostgreSQL: a listener that cannot connect tries again", async () => {
  const clock = new VirtualClock();
  const end = new AbortController();
  let tries = 0;
  const listener = new Listener({
    channel: "c",
    clock,
    end: end.signal,
    heard: () => {},
    listen: () => ++tries < 3 ? Promise.reject(new Error("away")) : Promise.resolve(() => Promise.resolve()),
    say: () => Promise.reject(new Error("away")),
  });
  listener.start();
  await clock.advanceTo(clock.now() + 2_500, turn);
  assertEquals(tries, 3);
  end.abort(new Error("enough"));
  await listener.ended();
});

for (const rows of ["outbox", "schedules"] as const) {
  onPostgres(
    `a store that waits for its ${rows} hears of a transaction that an application commits, long before it would look`,
    async (opened) => {
      const store = await opened.store({ pollInterval: "1h" });
      const { bench: { sql }, bus } = opened;
      const written = () =>
        opened.changes(rows === "outbox" ? { outbox: [opened.row()] } : { schedules: [{ put: opened.schedule() }] });
      const next = store[rows].next(bus, never);
      let woken = false;
      next.then(() => woken = true);
      await opened.until(
        "the store to listen",
        async () =>
          (await sql`SELECT 1 FROM pg_stat_activity WHERE query ILIKE 'listen%' AND query LIKE ${`%${opened.bench.schema}%`}`)
            .length > 0,
      );
      // What is rolled back is not heard.
      await sql.begin(async (tx) => {
        await store.join(tx, opened.scope()).commit(written());
        throw new Error("undone");
      }).catch(() => {});
      await opened.clock.pass(200);
      assert(!woken);
      await sql.begin(async (tx) => {
        assertEquals(await store.join(tx, opened.scope()).commit(written()), []);
      });
      await opened.until("the store to be woken", () => woken);
      assertEquals((await store[rows].claim(bus, 10, 1_000)).length, 1);
    },
  );
}

onPostgres("a store that waits hears of what an operator's process has let go again", async (opened) => {
  const [waiting, operator] = [await opened.store({ pollInterval: "1h" }), await opened.store()];
  const { bench: { sql, schema }, bus } = opened;
  const listens = async () =>
    (await sql`SELECT 1 FROM pg_stat_activity WHERE query ILIKE 'listen%' AND query LIKE ${`%${schema}%`}`).length > 0;
  await opened.until("the store to listen", listens);
  const leased = await (await operator.begin(opened.scope())).commit(opened.changes({ outbox: [opened.row()] }));
  await operator.outbox.later(leased.map((each) => ({ leased: each, dueAt: 0, error: "failed", park: true })));
  const next = waiting.outbox.next(bus, never);
  let woken = false;
  next.then(() => woken = true);
  await opened.clock.pass(200);
  assert(!woken);
  assertEquals(await operator.outbox.unpark(bus, leased.map(({ row }) => row.id)), 1);
  await opened.until("the store to be woken", () => woken);
});

for (const rows of ["outbox", "schedules"] as const) {
  onPostgres(
    `a store that waits for its ${rows} is woken by what its own process leaves, long before it would look`,
    async (opened) => {
      const store = await opened.store({ pollInterval: "1h", listen: false });
      const { bus } = opened;
      const next = store[rows].next(bus, never);
      let woken = false;
      next.then(() => woken = true);
      await opened.clock.pass(200); // it has looked
      const dueAt = opened.clock.now() + 300;
      const left = rows === "outbox"
        ? opened.changes({ outbox: [opened.row({ dueAt })] })
        : opened.changes({ schedules: [{ put: opened.schedule({ dueAt }) }] });
      assertEquals(await (await store.begin(opened.scope())).commit(left), []);
      assert(!woken);
      await opened.until("the store to be woken", () => woken);
      assert(opened.clock.now() >= dueAt);
      assertEquals((await store[rows].claim(bus, 10, 1_000)).length, 1);
    },
  );
}

onPostgres("a commit that this process delivers says nothing to others", async (opened) => {
  const { bench: { sql, schema } } = opened;
  const store = await opened.store({ listen: false });
  const heard: string[] = [];
  const { unlisten } = await sql.listen(`${schema}.hero_`, (text) => heard.push(text));
  const unit = await store.begin(opened.scope({ inbox: [opened.key("m")] }));
  await unit.commit(opened.changes({ outbox: [opened.row()], schedules: [{ put: opened.schedule() }] }));
  await sql.notify(`${schema}.hero_`, "last");
  await opened.until("the last notice", () => heard.includes("last"));
  assertEquals(heard, ["last"]);
  await unlisten();
});

onPostgres("a listener whose wire is cut listens again, and looks for what it has missed", async (opened) => {
  const proxy = await TcpProxy.to(usualPort);
  try {
    const through = opened.bench.url.replace(/:\d+\//, `:${proxy.port}/`);
    const store = await opened.store({ pollInterval: "1h", listen: through });
    await opened.until("the store to listen", () => proxy.connections === 1);
    for (let round = 0; round < 2; round++) {
      const next = store.outbox.next(opened.bus, never);
      let woken = false;
      next.then(() => woken = true);
      if (round === 1) await proxy.cut();
      await opened.bench.sql.begin(async (tx) => {
        await store.join(tx, opened.scope()).commit(opened.changes({ outbox: [opened.row()] }));
      });
      await opened.until(`the store to be woken in round ${round}`, () => woken, 40_000);
      await store.outbox.done(await store.outbox.claim(opened.bus, 10, 1_000));
    }
  } finally {
    await proxy[Symbol.asyncDispose]();
  }
}, 90_000);

onPostgres("without a listener it is looked for", async (opened) => {
  const store = await opened.store({ listen: false, pollInterval: "50ms" });
  assertEquals(store.capabilities.wake, "poll");
  const next = store.outbox.next(opened.bus, never);
  await opened.bench.sql.begin(async (tx) => {
    await store.join(tx, opened.scope()).commit(opened.changes({ outbox: [opened.row()] }));
  });
  assert(await next <= opened.clock.now());
});
