/** How receivers hear of what other processes write. */
import { assertEquals } from "@std/assert";
import { readNotice, Wakes } from "../../../stores/postgres/wakes.ts";
import { postgresTransport } from "../../../transports/postgres/mod.ts";
import { News } from "../../../transports/postgres/news.ts";
import { Notices } from "../../../transports/postgres/notices.ts";
import { topology } from "../../conformance/transport/trial.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { test } from "../../support/runner.ts";
import { deaf, onQueues, type Rig } from "./rig.ts";

/** What is asked of the backends that listen for this schema. */
function listeners({ bench: { sql, schema } }: Rig, ask: string): Promise<readonly unknown[]> {
  return sql.unsafe(`SELECT ${ask} FROM pg_stat_activity WHERE query ILIKE 'listen%' AND query LIKE '%${schema}%'`);
}

onQueues("what another process writes wakes a receiver that looks by itself once an hour", ["q"], async (rig) => {
  const [sender, taker] = [await rig.connect(deaf), await rig.connect(deaf)];
  await rig.until("both to listen", async () => (await listeners(rig, "pid")).length >= 3); // the operator's, too
  const inbox = await rig.receive(taker, "q");
  for (let at = 1; at <= 20; at++) {
    const dueAt = at % 5 === 0 ? rig.clock.now() + 50 : undefined;
    await rig.send(sender, "queue:q", { text: String(at), dueAt });
    await rig.came(inbox, at);
    await inbox.accept();
  }
  await rig.send(sender, "queue:q", { text: "held" });
  await rig.came(inbox, 21);
  const other = await rig.receive(sender, "q");
  inbox.receiver.credit(0);
  await inbox.settle({ outcome: "release" });
  await rig.came(other, 1);
  await other.accept();
});

onQueues(
  "a listener that is killed alone is replaced, and what was written meanwhile is found by that",
  ["q"],
  async (rig) => {
    const [sender, taker] = [await rig.connect({}, { listen: false }), await rig.connect(deaf)];
    const inbox = await rig.receive(taker, "q");
    for (let round = 1; round <= 2; round++) {
      await rig.until("it to listen", async () => (await listeners(rig, "pid")).length >= 2);
      await listeners(rig, "pg_terminate_backend(pid)");
      await rig.send(sender, "queue:q", { text: String(round) });
      await rig.came(inbox, round, 40_000);
      await inbox.accept();
    }
    assertEquals(inbox.texts, ["1", "2"]);
  },
);

onQueues("whoever does not listen tells those who do", ["q"], async (rig) => {
  const [sender, taker] = [await rig.connect({}, { listen: false }), await rig.connect(deaf)];
  await rig.until("it to listen", async () => (await listeners(rig, "pid")).length >= 2);
  const inbox = await rig.receive(taker, "q");
  for (let at = 1; at <= 3; at++) {
    await rig.send(sender, "queue:q", { text: String(at) });
    await rig.came(inbox, at);
    await inbox.accept();
  }
});

onQueues(
  "what a commit brings to many queues wakes the receivers of each in another process",
  topology(["a", "b", "c", "d", "e", "f"], { t: ["a", "b", "c", "d", "e", "f"] }),
  async (rig) => {
    const [sender, taker] = [await rig.connect({}, { listen: false }), await rig.connect(deaf)];
    await rig.until("it to listen", async () => (await listeners(rig, "pid")).length >= 2);
    const inboxes = await Promise.all(["a", "b", "c", "d", "e", "f"].map((queue) => rig.receive(taker, queue)));
    for (const inbox of inboxes) await rig.hungry(inbox);
    await rig.send(sender, "topic:t", { text: "all" });
    for (const inbox of inboxes) {
      await rig.came(inbox, 1);
      await inbox.accept();
    }
  },
);

test("PostgreSQL transport: what a transport tells others it does not hear itself, and nothing once it has closed", () => {
  const wakes = new Wakes();
  const told: string[] = [];
  const query = ({ values }: { readonly values: readonly unknown[] }): Promise<[]> => {
    told.push(String(values[1]));
    return Promise.resolve([]);
  };
  const unasked = (): Promise<never> => Promise.reject(new Error("Nobody asks this here"));
  const database = { query, write: unasked, clock: new FakeClock(), end: new AbortController().signal };
  let heard = 0;
  const notices = new Notices({ database, wakes, pollMs: 500, say: unasked }, "channel", () => void heard++);
  const news = new News();
  news.add(1, 0);
  notices.announce(news);
  assertEquals([heard, told.length], [1, 1]);
  const [table = "", of = ""] = readNotice(told[0] ?? "") ?? [];
  wakes.tell(table, of, 0); // as the database says it
  assertEquals(heard, 1);
  wakes.tell(table, "1 another", 0);
  assertEquals(heard, 2);
  notices.close();
  wakes.tell(table, "1 another", 0);
  assertEquals(heard, 2);
});

onQueues("without listening, what is written is found by looking", ["q"], async (rig) => {
  const silent = { listen: false } as const;
  const [sender, taker] = [await rig.connect({}, silent), await rig.connect({ pollInterval: "50ms" }, silent)];
  const inbox = await rig.receive(taker, "q");
  for (let at = 1; at <= 5; at++) {
    await rig.send(sender, "queue:q", { text: String(at) });
    await rig.came(inbox, at);
    await inbox.accept();
  }
});

onQueues("two buses' transports on one store tell each other without the database", ["q"], async (rig) => {
  const store = await rig.store({ listen: false });
  const [sender, taker] = [
    await rig.open(postgresTransport(store, deaf)),
    await rig.open(postgresTransport(store, deaf)),
  ];
  const inbox = await rig.receive(taker, "q");
  await rig.send(sender, "queue:q", { text: "a" });
  await rig.came(inbox, 1);
  await inbox.accept();
});
