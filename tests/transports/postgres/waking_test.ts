/** How receivers hear of what other processes write. */
import { assertEquals } from "@std/assert";
import { postgresTransport } from "../../../transports/postgres/mod.ts";
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
