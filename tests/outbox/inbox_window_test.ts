import { assertEquals, assertRejects } from "@std/assert";
import { command, ConfigurationError, InvalidDurationError } from "../../mod.ts";
import { memoryDatabase, memoryStore } from "../../stores/memory/mod.ts";
import { ScriptedStore } from "../support/fakes/scripted_store.ts";
import { sqliteTrial } from "../support/sqlite_trial.ts";
import { trial } from "../support/trial.ts";

const Work = command<{ id: string }>("window.work");
const Other = command<{ id: string }>("window.other");

const hour = 60 * 60_000;

trial(
  "an inbox window says for how long a message is known, of its endpoint alone; after it time forgets",
  async (t) => {
    const store = new ScriptedStore();
    const bus = t.bus({ store });
    const handled: string[] = [];
    bus.endpoint("short", { outbox: { inboxWindow: "1h" } }).handle(Work, () => void handled.push("short"));
    bus.endpoint("usual", { outbox: true }).handle(Other, () => void handled.push("usual"));
    await bus.start();
    const sendBoth = async () => {
      await bus.send(Work, { id: "1" }, { messageId: "m" });
      await bus.send(Other, { id: "1" }, { messageId: "m" });
      await t.settled();
    };
    await sendBoth();
    await t.pass(hour - 1);
    await sendBoth();
    assertEquals(handled, ["short", "usual"]);
    // Nothing is handled, and nothing committed, meanwhile.
    await t.pass(2 * 60_000);
    assertEquals(await store.sweep(10), 0, "Time did not sweep");
    await sendBoth();
    assertEquals(handled, ["short", "usual", "short"]);
    assertEquals(store.scopes.map(({ inbox: [key] }) => [key?.endpoint, key?.messageId]).slice(0, 2), [
      ["short", "m#0"],
      ["usual", "m#0"],
    ]);
  },
);

trial("with a group or alone, without a window a message is known for seven days", async (t) => {
  const store = memoryStore();
  const bus = t.bus({ store });
  let handled = 0;
  bus.endpoint("work", { outbox: { group: 4 } }).handle(Work, () => void handled++);
  bus.endpoint("other", { outbox: {} }).handle(Other, (_, ctx) => {
    void ctx.tx;
    handled++;
  });
  await bus.start();
  const sendBoth = async () => {
    await bus.send(Work, { id: "1" }, { messageId: "m" });
    await bus.send(Other, { id: "1" }, { messageId: "m" });
    await t.settled();
  };
  await sendBoth();
  await t.pass(7 * 24 * hour - 1);
  await sendBoth();
  assertEquals(handled, 2);
  await t.pass(2 * 60_000);
  await sendBoth();
  assertEquals(handled, 4);
});

trial("of the processes of a bus one sweeps, another when that is gone; each bus has its own lease", async (t) => {
  const database = memoryDatabase();
  const stores = ["app", "app", "other"].map((name) => ({ name, store: new ScriptedStore(database), swept: 0 }));
  for (const each of stores) {
    const sweep = each.store.sweep.bind(each.store);
    each.store.sweep = (limit) => {
      each.swept++;
      return sweep(limit);
    };
  }
  const leases = new Set<string>();
  const buses = stores.map(({ name, store }) => {
    const lease = store.lease.bind(store);
    store.lease = (name, owner, ms) => {
      leases.add(name);
      return lease(name, owner, ms);
    };
    return t.bus({ name, store });
  });
  for (const bus of buses) await bus.start();
  await t.pass(10 * 60_000);
  const [first, second, other] = stores.map(({ swept }) => swept);
  assertEquals([first! > 5, second, other! > 5], [true, 0, true]);
  assertEquals([...leases].sort(), [`["app","sweep"]`, `["other","sweep"]`]);
  await buses[0]?.stop();
  await t.pass(10 * 60_000);
  assertEquals([stores[0]?.swept, stores[1]!.swept > 5], [first, true]);
});

trial("all that is old is forgotten at once, however much it is", async (t) => {
  const store = new ScriptedStore();
  const swept: number[] = [];
  const left = [1000, 1000, 7];
  store.sweep = (limit) => Promise.resolve(swept.push(limit)).then(() => left.shift() ?? 0);
  const bus = t.bus({ store });
  await bus.start();
  await t.pass(89_000);
  assertEquals(swept, [1000, 1000, 1000]);
});

sqliteTrial("in a file the inbox forgets in time as well", async (t, file) => {
  const bus = file.bus();
  let handled = 0;
  bus.endpoint("work", { outbox: { inboxWindow: "1m" } }).handle(Work, () => void handled++);
  await bus.start();
  for (const wait of [59_000, 180_000, 0]) {
    await bus.send(Work, { id: "1" }, { messageId: "m" });
    await t.pass(wait);
  }
  await t.settled();
  assertEquals(handled, 2);
});

trial("a window that is none is refused", async (t) => {
  const start = (inboxWindow: never) => {
    const bus = t.bus();
    bus.endpoint("work", { outbox: { inboxWindow } }).handle(Work, () => {});
    return bus.start();
  };
  await assertRejects(() => start(0 as never), ConfigurationError, "inbox window");
  await assertRejects(() => start("a week" as never), InvalidDurationError);
  await assertRejects(() => start(-1 as never), InvalidDurationError);
});
