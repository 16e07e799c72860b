/** Processes on queues in PostgreSQL, killed and stalled, and PostgreSQL killed under them. */
import { assert, assertEquals } from "@std/assert";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import client from "postgres";
import { command, createBus, event, retry } from "../../mod.ts";
import { postgres } from "../../stores/postgres/mod.ts";
import { postgresTransport } from "../../transports/postgres/mod.ts";
import { eventually, realTime } from "../conformance/test_clock.ts";
import { test } from "../support/runner.ts";
import { canStartPostgres, startPostgresCluster } from "../support/servers/postgres.ts";
import { share } from "../support/share.ts";
import { onQueues, type Rig } from "../transports/postgres/rig.ts";
import { type Child, start } from "./kill/child.ts";
import { skipUnlessRequired } from "../support/required.ts";

/** Where a process may be killed while it handles, in order. */
const points = ["taken", "written", "settled", "committed"] as const;

/** Processes on the rig's queues, and what they have written. */
class Processes {
  readonly #folder: string = mkdtempSync(join(tmpdir(), "hero-queues-"));
  readonly #ledger: string = join(this.#folder, "ledger");
  readonly #rig: Rig;
  readonly #all: Child[] = [];

  constructor(rig: Rig) {
    this.#rig = rig;
    writeFileSync(this.#ledger, "");
  }

  begin(doing: string, name: string, point = "", nth = 0): Child {
    const { url, schema } = this.#rig.bench;
    const child = start("queue_process.ts", [doing, `${url}#${schema}`, this.#ledger, name, point, nth]);
    this.#all.push(child);
    return child;
  }
  get lines(): readonly (readonly string[])[] {
    return readFileSync(this.#ledger, "utf8").split("\n").slice(0, -1).map((line) => line.split(" "));
  }
  async said(what: string, holds: (word: string) => boolean, within = 60_000): Promise<void> {
    await eventually(this.#rig.clock, what, () => this.lines.some(([word = ""]) => holds(word)), within);
  }
  async end(): Promise<void> {
    for (const { process } of this.#all) process.kill("SIGKILL");
    await Promise.all(this.#all.map(({ ended }) => ended));
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function withProcesses(
  name: string,
  timeoutInMs: number,
  run: (rig: Rig, processes: Processes) => Promise<void>,
): void {
  onQueues(name, ["in", "out"], async (rig) => {
    const processes = new Processes(rig);
    try {
      await rig.store();
      await rig.bench.sql.unsafe(`CREATE TABLE "${rig.bench.schema}".own (text text, name text)`);
      await run(rig, processes);
    } finally {
      await processes.end();
    }
  }, timeoutInMs);
}

async function effects({ bench: { sql, schema } }: Rig): Promise<readonly string[]> {
  return (await sql.unsafe(`SELECT text FROM "${schema}".own`)).map(({ text }) => String(text));
}

const kills = share(200);
withProcesses(
  `two processes are killed ${kills} times while they handle: each message has its effect once, and one answer`,
  1_200_000,
  async (rig, processes) => {
    const transport = await rig.connect();
    const count = 10 * kills + 20;
    const texts = Array.from({ length: count }, (_, at) => `m${at}`);
    for (let at = 0; at < count; at += 100) {
      await rig.send(transport, "queue:in", ...texts.slice(at, at + 100).map((text) => ({ text })));
    }
    let run = 0;
    const lane = async (): Promise<void> => {
      while (run < kills) {
        const at = run++;
        const child = processes.begin("effects", `p${at}`, points[at % points.length], 1 + at % 3);
        assertEquals(await child.ended, "SIGKILL", `process ${at}`);
      }
    };
    await Promise.all([lane(), lane()]);
    processes.begin("effects", "last");
    await rig.until("the rest", async () => {
      const { waiting = 1, active = 0 } = await transport.admin?.count("in") ?? {};
      return waiting + (active ?? 0) === 0;
    }, 180_000);
    assertEquals((await effects(rig)).toSorted(), texts.toSorted());
    const out = await rig.receive(transport, "out", { credit: 10_000 });
    await rig.came(out, count, 60_000);
    assertEquals(out.texts.toSorted(), texts.toSorted());
    await out.accept();
    assertEquals(processes.lines.filter(([word = ""]) => ["failed", "unsent", "twice"].includes(word)), []);
  },
);

withProcesses(
  "a handler that stands still loses its message to another process, and commits nothing when it goes on",
  240_000,
  async (rig, processes) => {
    const transport = await rig.connect();
    processes.begin("stall", "stalled");
    await processes.said("it", (word) => word === "ready");
    await rig.send(transport, "queue:in", { text: "a" });
    await processes.said("the stall", (word) => word === "stalls");
    const inbox = await rig.receive(transport, "in");
    await rig.came(inbox, 1, 60_000);
    assertEquals(inbox.only.deliveryCount, 2);
    await processes.said("its commit", (word) => /refused|late/.test(word));
    assertEquals(processes.lines.filter(([word]) => word === "refused").map(([, why]) => why), ["ClaimLostError"]);
    await processes.said("that it is told", (word) => word === "lost");
    assert(!processes.lines.some(([word]) => word === "committed"));
    assertEquals(await effects(rig), []);
    await inbox.accept();
  },
);

withProcesses(
  "three processes share the messages of a queue, each comes to one, and of a key one at a time, in order",
  240_000,
  async (rig, processes) => {
    const transport = await rig.connect();
    for (const name of ["a", "b", "c"]) processes.begin("order", name);
    const ready = (): number => processes.lines.filter(([word]) => word === "ready").length;
    await eventually(rig.clock, "three processes", () => ready() === 3, 60_000);
    const count = 600;
    const sendings = Array.from({ length: count }, (_, at) => ({ text: String(at), key: `key${at % 7}` }));
    for (let at = 0; at < count; at += 50) await rig.send(transport, "queue:in", ...sendings.slice(at, at + 50));
    const done = (word: string) => processes.lines.filter(([each]) => each === word);
    await eventually(rig.clock, "all", () => done("end").length >= count, 120_000);
    const all = processes.lines.filter(([word]) => word === "begin" || word === "end");
    assertEquals(all.length, 2 * count);
    for (let key = 0; key < 7; key++) {
      const expected = Array.from({ length: count }, (_, at) => at).filter((at) => at % 7 === key)
        .flatMap((at) => [`begin ${at}`, `end ${at}`]);
      assertEquals(all.filter((line) => line[1] === `key${key}`).map((line) => `${line[0]} ${line[2]}`), expected);
    }
    const takers = new Set(all.map((line) => line[3]));
    assert(takers.size > 1, `${[...takers]} alone took all`);
  },
);

const Work = command<{ id: number }>("failure.work");
const Done = event<{ id: number }>("failure.done");
const clock = realTime();

for (const together of [false, true]) {
  const how = together ? "with the bus' store" : "by itself";
  test(
    `PostgreSQL transport, ${how}: killed and started again under load, no message is lost, and no effect doubled`,
    async () => {
      const directory = mkdtempSync(join(tmpdir(), "hero-postgres-"));
      const cluster = await startPostgresCluster({ port: together ? 5_492 : 5_491, directory });
      try {
        const { url } = cluster;
        const store = postgres({ url, max: 16 });
        const transport = together ? postgresTransport(store) : postgresTransport(url, { lease: "3s" });
        const bus = createBus({ name: "app", store, transport });
        const forever = retry.exponential({ limit: 1_000, min: "50ms", max: "500ms" });
        bus.endpoint("work", { outbox: true, retry: forever, concurrency: 8 }).handle(Work, async ({ id }, ctx) => {
          await ctx.tx`INSERT INTO worked (id) VALUES (${id})`;
          await ctx.publish(Done, { id });
        });
        bus.endpoint("done", { outbox: true, retry: forever, concurrency: 8 }).handle(Done, async ({ id }, ctx) => {
          await ctx.tx`INSERT INTO done (id) VALUES (${id})`;
        });
        const sql = client(url, { max: 1, onnotice: () => {} });
        await sql`CREATE TABLE worked (id int)`;
        await sql`CREATE TABLE done (id int)`;
        await bus.deploy("apply");
        await bus.start();
        const total = share(1_500);
        let last = -1;
        const sending = (async () => {
          for (let id = 0; id < total; id++) {
            // What became of it is unknown: it is sent again, as the same message.
            for (;;) {
              const sent = await bus.send(Work, { id }, { messageId: `work ${id}` }).then(() => true, () => false);
              if (sent) break;
              await clock.pass(50);
            }
            last = id;
            if (id % 20 === 0) await clock.pass(5);
          }
        })();
        for (const part of [0.15, 0.5]) {
          await eventually(clock, "some to be sent", () => last >= total * part, 60_000);
          await cluster.kill();
          await clock.pass(300);
          await cluster.start();
        }
        await sending;
        let found = "";
        let asking = false;
        await eventually(clock, "all to be done", () => {
          if (!asking) {
            asking = true;
            sql`SELECT (SELECT count(*) FROM worked) || ' ' || (SELECT count(DISTINCT id) FROM worked) || ' ' ||
              (SELECT count(*) FROM done) || ' ' || (SELECT count(DISTINCT id) FROM done) AS found`
              .then(([row]) => found = row?.["found"], () => {}).finally(() => asking = false);
          }
          return found === `${total} ${total} ${total} ${total}`;
        }, 120_000).catch(() => {});
        assertEquals(found, `${total} ${total} ${total} ${total}`);
        await bus.stop();
        await sql.end();
      } finally {
        await cluster[Symbol.asyncDispose]();
      }
    },
    {
      skip: skipUnlessRequired(
        canStartPostgres() ? undefined : "no PostgreSQL of Debian here: apt-get install postgresql",
      ),
      timeoutInMs: 300_000,
    },
  );
}
