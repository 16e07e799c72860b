/** The order of keys, whatever overlaps; and what a claim costs. */
import { assert, assertEquals } from "@std/assert";
import type { Delivery } from "../../../src/spi/transport.ts";
import { seededRandom } from "../../../src/values/random.ts";
import { text } from "../../conformance/transport/inbox.ts";
import { onQueues } from "./rig.ts";

onQueues("a queue becomes ordered while messages of its keys wait and are handled", ["q"], async (rig) => {
  const transport = await rig.connect();
  const first = await rig.receive(transport, "q", { credit: 1 });
  await rig.send(transport, "queue:q", ...["0", "1", "2"].map((text) => ({ text, key: "k" })), { text: "free" });
  await rig.came(first, 1);
  first.receiver.credit(0);
  const ordered = await rig.receive(await rig.connect(), "q", { ordered: true });
  await rig.came(ordered, 1);
  await rig.clock.pass(200);
  assertEquals([first.texts, ordered.texts], [["0"], ["free"]]);
  await first.settle({ outcome: "release" });
  for (let count = 2; count <= 4; count++) {
    await rig.came(ordered, count);
    await ordered.accept();
  }
  assertEquals(ordered.texts, ["free", "0", "1", "2"]);
  const queues = [{ name: "q", extensions: [], ordered: true }];
  assertEquals(await transport.deploy({ queues, topics: [], bindings: [] }, "plan"), []);
});

onQueues("taking goes past the order of keys, and what it releases stands where it stood", ["q"], async (rig) => {
  const transport = await rig.connect();
  const ordered = await rig.receive(transport, "q", { ordered: true, credit: 0 });
  await rig.send(transport, "queue:q", ...["0", "1", "2"].map((text) => ({ text, key: "k" })));
  const taken: string[] = [];
  const taker = await transport.admin?.take("q", {
    deliver: (batch) => {
      for (const delivery of batch) {
        taken.push(text(delivery));
        setTimeout(() => void taker?.settle([{ delivery, outcome: "release" }]), 0);
      }
    },
    lost: () => {},
    readdressed: () => {},
  }, 1);
  await taker?.done;
  assertEquals(taken, ["0", "1", "2"]);
  ordered.allowed = 10;
  ordered.receiver.credit(10);
  for (let at = 1; at <= 3; at++) {
    await rig.came(ordered, at);
    assertEquals(ordered.unsettled.length, 1);
    await ordered.accept();
  }
  assertEquals(ordered.texts, ["0", "1", "2"]);
});

onQueues(
  "whatever overlaps, of each key one at a time comes, in order, and none is stuck",
  { queues: [{ name: "q", extensions: [], ordered: true }], topics: [], bindings: [] },
  async (rig) => {
    const random = seededRandom(11);
    const below = (limit: number): number => Math.floor(random() * limit);
    const transports = await Promise.all([0, 1, 2].map(() => rig.connect({ pollInterval: "50ms" })));
    const [keys, each] = [6, 60];
    const done = new Map(Array.from({ length: keys }, (_, key) => [`key ${key}`, [] as number[]]));
    const flying = new Set<string>();
    const wrong: string[] = [];
    let count = 0;
    for (const transport of transports) {
      const inbox = await rig.receive(transport, "q", { ordered: true, credit: 1 + below(10) });
      inbox.handle((delivery: Delivery) => {
        const key = delivery.key ?? "";
        if (flying.has(key)) wrong.push(`two of ${key} at once`);
        flying.add(key);
        setTimeout(() => {
          flying.delete(key);
          const released = below(5) === 0;
          if (!released) {
            done.get(key)?.push(Number(text(delivery)));
            count++;
          }
          void inbox.settle({ outcome: released ? "release" : "accept" }, [delivery]);
        }, below(4));
      });
    }
    // One after the other of a key, by one process each; some by themselves, some with others.
    await Promise.all([...done.keys()].map(async (key, at) => {
      for (let number = 0; number < each;) {
        const some = Array.from({ length: Math.min(1 + below(5), each - number) }, () => ({
          text: String(number++),
          key,
          priority: undefined,
        }));
        await rig.send(transports[at % 3]!, "queue:q", ...some);
        if (below(4) === 0) await rig.clock.pass(below(10));
      }
    }));
    await rig.until("all", () => count >= keys * each, 60_000);
    assertEquals(wrong, []);
    for (const numbers of done.values()) assertEquals(numbers, Array.from({ length: each }, (_, at) => at));
    await rig.until(
      "the last to be gone",
      async () => (await rig.select("SELECT FROM hero_queue_messages")).length === 0,
    );
  },
  180_000,
);

onQueues("a claim changes no index", ["q"], async (rig) => {
  const transport = await rig.connect();
  const inbox = await rig.receive(transport, "q", { credit: 0 });
  for (let at = 0; at < 10; at++) {
    await rig.send(transport, "queue:q", ...Array.from({ length: 200 }, () => ({ text: "x".repeat(300) })));
  }
  inbox.allowed = 2_000;
  inbox.receiver.credit(2_000);
  await rig.came(inbox, 2_000);
  const table = `"${rig.bench.schema}".hero_queue_messages`;
  await rig.until("the statistics", async () => {
    const [row] = await rig.bench.sql.unsafe(
      `SELECT n_tup_upd::int AS all, n_tup_hot_upd::int AS hot FROM pg_stat_user_tables WHERE relid = '${table}'::regclass`,
    );
    if (row?.["all"] < 2_000) return false;
    assert(row?.["hot"] >= 1_900, `${row?.["hot"]} of ${row?.["all"]} changed no index`);
    return true;
  });
  await inbox.accept();
});

onQueues("no statement of the way of a message reads the table from end to end", ["q", "other"], async (rig) => {
  const transport = await rig.connect({ pollInterval: "50ms" });
  const inbox = await rig.receive(transport, "q", { credit: 10 });
  // Plans are made while there is nothing, so that the statistics say, and kept.
  await rig.select("VACUUM ANALYZE hero_queue_messages");
  for (let at = 0; at < 20; at++) {
    await rig.send(transport, "queue:q", { text: String(at) });
    await rig.came(inbox, at + 1);
    await inbox.accept();
  }
  await rig.select(
    "INSERT INTO hero_queue_messages SELECT nextval('hero_queue_places'), q.id, 0, 0, NULL, 0, 0, 0, 2, false, false, " +
      "NULL, 'm', 'queue:q', 't', '[]', '' FROM generate_series(1, 50000) n, hero_queue_queues q ORDER BY n",
  );
  await rig.clock.pass(1_500); // statistics come late
  const before = await scanned();
  inbox.handle((delivery) => void inbox.accept([delivery]));
  await rig.came(inbox, 1_000);
  await rig.send(transport, "queue:q", { text: "more", key: "k" });
  inbox.receiver.credit(0);
  await rig.clock.pass(1_500);
  const read = await scanned() - before;
  assert(read < 50_000, `${read} rows were read`); // making the indexes has read some
  await rig.select("DELETE FROM hero_queue_messages");

  async function scanned(): Promise<number> {
    const table = `"${rig.bench.schema}".hero_queue_messages`;
    const [row] = await rig.bench.sql.unsafe(
      `SELECT (seq_tup_read + idx_tup_fetch)::int AS rows FROM pg_stat_user_tables WHERE relid = '${table}'::regclass`,
    );
    return Number(row?.["rows"]);
  }
});
