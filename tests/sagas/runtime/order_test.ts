/** Messages of one instance on an endpoint with many slots: one after the other, as they came. */
import { assertEquals } from "@std/assert";
import { event, retry, saga, type } from "../../../mod.ts";
import { memoryStore } from "../../../stores/memory/mod.ts";
import { Latch, type Trial, trial } from "../../support/trial.ts";

const Opened = event<{ id: string }>("lists.opened");
const Added = event<{ id: string; n: number }>("lists.added");
const Keyed = event<{ id: string; n: number }>("lists.keyed", { key: (m) => m.id });

type Slow = (id: string, n: number, attempt: number) => Promise<void>;

function listSaga(slow: Slow) {
  return saga("list", {
    data: type<{ all: number[] }>(),
    states: ["open"],
    events: (on) => ({
      opened: on.start(Opened, (m) => m.id, () => ({ all: [] })),
      added: on(Added, (m) => m.id),
      keyed: on(Keyed, (m) => m.id),
    }),
  }, ({ initially, during, when }) => [
    initially(when("opened").transitionTo("open")),
    during(
      "open",
      ...(["added", "keyed"] as const).map((event) =>
        when(event).then(async (ctx) => {
          await slow(ctx.id, ctx.message.n, ctx.attempt);
          ctx.saga.all.push(ctx.message.n);
        })
      ),
    ),
  ]);
}

async function started(t: Trial, slow: Slow, ids: readonly string[]) {
  const bus = t.bus({ store: memoryStore() });
  const Lists = listSaga(slow);
  bus.add(Lists, { concurrency: 16, retry: retry.intervals(["10s"]) });
  await bus.start();
  for (const id of ids) await bus.publish(Opened, { id });
  await t.settled();
  const list = async (id: string) => (await bus.sagas(Lists).get(id))?.data.all;
  return { bus, list };
}

const upTo = (n: number) => Array.from({ length: n }, (_, at) => at);

trial("messages of one instance are handled as they came, however long each takes; others pass", async (t) => {
  const latch = new Latch();
  const { bus, list } = await started(t, (id, n) => id === "held" ? latch.pass() : t.clock.delay((n * 7) % 5), [
    "a1",
    "b1",
    "held",
  ]);
  await bus.publish(Added, { id: "held", n: 0 });
  for (const n of upTo(40)) await Promise.all(["a1", "b1"].map((id) => bus.publish(Added, { id, n })));
  const begun = t.clock.now();
  await t.pass(1_000);
  assertEquals([await list("a1"), await list("b1"), await list("held")], [upTo(40), upTo(40), []]);
  latch.open();
  await t.settled();
  assertEquals([await list("held"), t.clock.now() - begun], [[0], 1_000]);
});

for (
  const [contract, then, overtaken] of [
    [Added, "lets those behind it pass", [0, 2, 3, 1]],
    [Keyed, "keeps its place, where its contract has a key", [0, 1, 2, 3]],
  ] as const
) {
  trial(`a message that waits to be tried again ${then}; instances beside it go on`, async (t) => {
    const { bus, list } = await started(t, (id, n, attempt) => {
      return id === "a1" && n === 1 && attempt === 1 ? Promise.reject(new Error("not now")) : Promise.resolve();
    }, ["a1", "b1"]);
    for (const n of upTo(4)) await Promise.all(["a1", "b1"].map((id) => bus.publish(contract, { id, n })));
    await t.pass(9_000);
    assertEquals(await list("b1"), upTo(4));
    await t.pass(1_000);
    assertEquals(await list("a1"), [...overtaken]);
  });
}
