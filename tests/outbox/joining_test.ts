import { assertEquals, assertRejects } from "@std/assert";
import { command, createBus, event } from "../../mod.ts";
import type { Changes } from "../../src/spi/rows.ts";
import type { JoinableStore, Scope, Unit } from "../../src/spi/store.ts";
import { memory } from "../../transports/memory/mod.ts";
import { ScriptedStore } from "../support/fakes/scripted_store.ts";
import { type Trial, trial } from "../support/trial.ts";

const Work = command<{ id: string }>("joining.work");
const Done = event<{ by: string }>("joining.done");

/** A transaction that somebody else has begun. */
class OwnTransaction {
  readonly changes: Changes[] = [];
}

/** A store that writes into such, and gets it when its owner commits. */
class JoiningStore extends ScriptedStore {
  rolledBack = 0;

  join(tx: OwnTransaction, _scope: Scope): Unit<OwnTransaction> {
    return {
      duplicates: [],
      tx,
      load: () => Promise.resolve(undefined),
      find: () => Promise.resolve([]),
      savepoint: (_, work) => work(),
      commit: (changes) => Promise.resolve(void tx.changes.push(changes)).then(() => []),
      rollback: () => Promise.resolve(void this.rolledBack++),
    };
  }

  async committed({ changes }: OwnTransaction): Promise<void> {
    for (const each of changes) {
      const unit = await this.begin({ bus: "app", partition: "p", inbox: [], signal: new AbortController().signal });
      // Not delivered by who commits, as it is no process of the bus: the lease is over at once.
      const leased = await unit.commit(each);
      await this.outbox.later(leased.map((row) => ({ leased: row, dueAt: 0, error: "", park: false })));
    }
  }
}

function joining(t: Trial) {
  const store = new JoiningStore();
  // A store without a transaction of its own type stands for one that has one.
  const bus = createBus<OwnTransaction>({
    name: "app",
    transport: memory({ broker: t.broker }),
    store: store as unknown as JoinableStore<OwnTransaction>,
    clock: t.clock,
  });
  const got: string[] = [];
  bus.endpoint("work").handle(Work, ({ id }) => void got.push(id));
  bus.endpoint("done").handle(Done, ({ by }) => void got.push(by));
  return { bus, store, got };
}

trial("what is sent and scheduled in a caller's own transaction leaves when its owner commits", async (t) => {
  const { bus, store, got } = joining(t);
  await bus.start();
  const tx = new OwnTransaction();
  await bus.publish(Done, { by: "published" }, { tx });
  await bus.send(Work, { id: "sent" }, { tx });
  const kept = await bus.schedule(Work, { id: "scheduled" }, { in: "1m" }, { tx });
  const back = await bus.schedule(Work, { id: "taken back" }, { in: "1m" }, { tx });
  await bus.unschedule(back, { tx });
  await t.pass(30_000);
  assertEquals(got, []);
  assertEquals(tx.changes.map(({ outbox, schedules }) => [outbox.length, schedules.length]), [
    [1, 0],
    [1, 0],
    [0, 1],
    [0, 1],
    [0, 1],
  ]);
  await store.committed(tx);
  await t.pass(30_000);
  assertEquals(got.toSorted(), ["published", "scheduled", "sent"]);
  await bus.unschedule(kept);
  await bus.stop();
});

trial("a message that cannot be made is not written into the caller's transaction", async (t) => {
  const { bus, store } = joining(t);
  await bus.start();
  const tx = new OwnTransaction();
  await assertRejects(() => bus.publish(Done, { by: 1n as unknown as string, bad: NaN } as never, { tx }));
  assertEquals([tx.changes, store.rolledBack], [[], 1]);
  await bus.stop();
});
